# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from side_by_side import SideBySide

from tercel_hw.tlmm.product_chain import ProductChain
from tercel_sim.testbench import run


@pytest.mark.parametrize("cells", [1, 2, 3, 4])
def test_a_sum_of_products_a_cycle(cells):
    dut = ProductChain(cells=cells, a_bits=9, b_bits=4, bits=9 + 4 + 2)
    generator = np.random.default_rng(cells)
    a = generator.integers(-256, 256, (30, cells))
    b = generator.integers(0, 16, (30, cells))
    a[:3], b[:3] = [[-256] * cells, [255] * cells, [-1] * cells], 15

    async def bench(ctx):
        sums = []
        for cycle in range(len(a) + dut.latency):
            if cycle < len(a):
                ctx.set(dut.a, a[cycle].tolist())
                ctx.set(dut.b, b[cycle].tolist())
            if cycle >= dut.latency:
                sums.append(ctx.get(dut.o))
            await ctx.tick()
        assert sums == (a * b).sum(axis=1).tolist()

    run(dut, bench, max_cycles=64)


def test_both_forms_are_one(check_forms):
    """One wraps around."""

    def chains():
        parts = {f"c{n}": ProductChain(cells=n, a_bits=22, b_bits=11, bits=35) for n in (1, 2, 4)}
        parts["wrapping"] = ProductChain(cells=2, a_bits=8, b_bits=3, bits=5)
        return SideBySide(parts)

    check_forms(chains, start_up=7, cycles=500, enables=())


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("cells", 0, r"cells must be an integer in 1\.\.64, not 0"),
        ("a_bits", 28, r"a_bits must be an integer in 1\.\.27, not 28"),
        ("b_bits", 18, r"b_bits must be an integer in 1\.\.17, not 18"),
        ("bits", 49, r"bits must be an integer in 1\.\.48, not 49"),
    ],
)
def test_a_broken_parameter_is_named(field, value, rule):
    fields = {"cells": 2, "a_bits": 8, "b_bits": 8, "bits": 20, field: value}
    with pytest.raises(ValueError, match=f"^{rule}$"):
        ProductChain(**fields)
