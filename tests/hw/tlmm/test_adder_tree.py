# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from tercel_hw.tlmm import AdderTree
from tercel_sim.testbench import run

SIGNED, PLAIN = True, False
SHAPES = {
    "plain": ([PLAIN], 1),
    "signed": ([SIGNED], 2),
    "pair": ([SIGNED] * 2, 2),
    "mixed": ([SIGNED, PLAIN, PLAIN, SIGNED, PLAIN], 2),
    "halved": ([SIGNED] * 13, 4),
    "parts": ([SIGNED, PLAIN] * 13, 4),
    "full": ([PLAIN] * 10, 3),
}
"""The terms of a tree, and its latency."""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nodes", [1, 3])
def test_one_sum_a_cycle_after_the_latency(shape, nodes):
    negatable, latency = SHAPES[shape]
    count = len(negatable)
    generator = np.random.default_rng(count)
    peaks = [int(peak) for peak in generator.integers(1, 400, count)]
    dut = AdderTree(peaks=peaks, negatable=negatable, nodes=nodes)
    assert dut.latency == latency
    limit = np.array(peaks)[:, None]
    sets = [generator.integers(-limit, limit + 1, (count, nodes)) for _ in range(20)]
    signs = [generator.integers(0, 2, count) for _ in sets]
    # The widest sums: all at their peaks, and of every sign.
    for sign, flip in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        sets.append(np.repeat(sign * limit, nodes, axis=1))
        signs.append(np.full(count, flip))
    factors = [np.where(negatable, 1 - 2 * s, 1)[:, None] for s in signs]
    expected = [(x * factor).sum(axis=0).tolist() for x, factor in zip(sets, factors, strict=True)]

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for cycle in range(len(sets) + latency):
            if cycle < len(sets):
                ctx.set(dut.terms, sets[cycle].tolist())
                ctx.set(dut.negative, sum(int(s) << i for i, s in enumerate(signs[cycle])))
            if cycle >= latency:
                results.append(list(ctx.get(dut.total)))
            await ctx.tick()
        assert results == expected

    run(dut, bench, max_cycles=100)


@pytest.mark.parametrize(("tables", "latency"), [(1, 2), (4, 3), (16, 4), (77, 5), (128, 6)])
def test_levels_of_three(tables, latency):
    found = AdderTree(peaks=[381, 254] * tables, negatable=[SIGNED, PLAIN] * tables, nodes=1)
    assert found.latency == latency


def test_nothing_moves_without_enable():
    dut = AdderTree(peaks=[3, 3], negatable=[SIGNED, PLAIN], nodes=1)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.terms, [[3], [-2]])
        await ctx.tick().repeat(dut.latency)
        ctx.set(dut.enable, 0)
        ctx.set(dut.terms, [[1], [1]])
        ctx.set(dut.negative, 3)
        await ctx.tick().repeat(3)
        assert list(ctx.get(dut.total)) == [1]
        ctx.set(dut.enable, 1)
        await ctx.tick().repeat(dut.latency)
        assert list(ctx.get(dut.total)) == [0]

    run(dut, bench, max_cycles=32)


@pytest.mark.parametrize("negatable", [[SIGNED, PLAIN] * 5, [SIGNED] * 7])
def test_both_forms_are_one(check_forms, negatable):
    peaks = [381, 254] * 5
    check_forms(
        lambda: AdderTree(peaks=peaks[: len(negatable)], negatable=negatable, nodes=2),
        start_up=8,
        cycles=1000,
    )


def test_a_sum_is_as_wide_as_it_must_be():
    def width(count):
        tree = AdderTree(peaks=[127] * count, negatable=[PLAIN] * count, nodes=1)
        return tree.total.shape().elem_shape.width

    assert width(2) == 9
    assert width(3) == 10


@pytest.mark.parametrize(
    ("peaks", "negatable", "nodes", "rule"),
    [
        ([], [], 1, r"peaks must be positive, one or more, not \[\]"),
        ([1, 0], [PLAIN] * 2, 1, r"peaks must be positive, one or more, not \[1, 0\]"),
        ([1, 1], [PLAIN], 1, "negatable must tell of 2 terms, not 1"),
        ([1], [PLAIN], 0, "nodes must be positive, not 0"),
    ],
)
def test_a_broken_parameter_is_named(peaks, negatable, nodes, rule):
    with pytest.raises(ValueError, match=rule):
        AdderTree(peaks=peaks, negatable=negatable, nodes=nodes)
