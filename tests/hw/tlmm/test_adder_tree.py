# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from tercel_hw.tlmm import AdderTree
from tercel_sim.testbench import run


@pytest.mark.parametrize("count", [1, 2, 3, 5, 13])
@pytest.mark.parametrize("nodes", [1, 3])
def test_one_sum_a_cycle_after_the_latency(clocked, count, nodes):
    generator = np.random.default_rng(count)
    peaks = [int(peak) for peak in generator.integers(1, 400, count)]
    dut = AdderTree(peaks=peaks, nodes=nodes)
    assert dut.latency == int(np.ceil(np.log2(count)))
    limit = np.array(peaks)[:, None]
    sets = [generator.integers(-limit, limit + 1, (count, nodes)) for _ in range(20)]
    signs = [generator.integers(0, 2, count) for _ in sets]
    # The widest sums: all at their peaks, and of every sign.
    for sign, flip in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        sets.append(np.repeat(sign * limit, nodes, axis=1))
        signs.append(np.full(count, flip))
    expected = [
        (x * (1 - 2 * s)[:, None]).sum(axis=0).tolist() for x, s in zip(sets, signs, strict=True)
    ]

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        results = []
        for cycle in range(len(sets) + dut.latency):
            if cycle < len(sets):
                ctx.set(dut.terms, sets[cycle].tolist())
                ctx.set(dut.negative, sum(int(s) << i for i, s in enumerate(signs[cycle])))
            if dut.latency == 0:
                await ctx.delay(1e-9)
            if cycle >= dut.latency:
                sign = -1 if ctx.get(dut.negated) else 1
                results.append([sign * total for total in ctx.get(dut.total)])
            await ctx.tick()
        assert results == expected

    run(clocked(dut), bench, max_cycles=100)


def test_nothing_moves_without_enable():
    dut = AdderTree(peaks=[3, 3], nodes=1)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.terms, [[3], [-2]])
        await ctx.tick()
        ctx.set(dut.enable, 0)
        ctx.set(dut.terms, [[1], [1]])
        ctx.set(dut.negative, 3)
        await ctx.tick().repeat(3)
        assert list(ctx.get(dut.total)) == [1]
        assert not ctx.get(dut.negated)
        ctx.set(dut.enable, 1)
        await ctx.tick()
        assert list(ctx.get(dut.total)) == [2]
        assert ctx.get(dut.negated)

    run(dut, bench, max_cycles=32)


def test_a_sum_is_as_wide_as_it_must_be():
    assert AdderTree(peaks=[127] * 2, nodes=1).total.shape().elem_shape.width == 9
    assert AdderTree(peaks=[127] * 3, nodes=1).total.shape().elem_shape.width == 10


@pytest.mark.parametrize(
    ("peaks", "nodes", "rule"),
    [
        ([], 1, r"peaks must be positive, one or more, not \[\]"),
        ([1, 0], 1, r"peaks must be positive, one or more, not \[1, 0\]"),
        ([1], 0, "nodes must be positive, not 0"),
    ],
)
def test_a_broken_parameter_is_named(peaks, nodes, rule):
    with pytest.raises(ValueError, match=rule):
        AdderTree(peaks=peaks, nodes=nodes)
