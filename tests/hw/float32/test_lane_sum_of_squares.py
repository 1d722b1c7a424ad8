# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from tercel.numerics import sum_of_squares
from tercel_hw.float32 import LaneSumOfSquares
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def words(values) -> list[int]:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).tolist()


def rows_of(lanes, widths, seed=1):
    """``[lanes, width]`` each."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 3, (lanes, width)).astype(np.float32) for width in widths]


def elements_of(rows):
    return [
        {"values": words(values), "last": index == row.shape[1] - 1}
        for row in rows
        for index, values in enumerate(row.T)
    ]


def sums_of(rows):
    return [words(sum_of_squares(row)) for row in rows]


def reduce_rows(dut, rows, idle=every_cycle, back_pressure=every_cycle):
    async def source(ctx):
        await put_all(ctx, dut.i, elements_of(rows), idle)

    async def sink(ctx):
        return [list(sums) for sums in await get_all(ctx, dut.o, len(rows), back_pressure)]

    return run(dut, source, sink, max_cycles=6000)[1]


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 8, 16])
def test_it_equals_the_golden_model(lanes):
    rows = rows_of(lanes, [128, 16, 150] if lanes < 8 else [144])
    assert reduce_rows(LaneSumOfSquares(lanes=lanes), rows) == sums_of(rows)


def test_rows_of_any_width_one_after_the_other():
    rows = rows_of(2, [1, 2, 15, 17, 31, 32, 112, 113, 127, 129, 300])
    assert reduce_rows(LaneSumOfSquares(lanes=2), rows) == sums_of(rows)


def test_the_order_matters_for_the_rows_used_here():
    row = rows_of(2, [300])[0]
    assert sums_of([row])[0][0] != words(np.sum(row[0] * row[0], dtype=np.float32))


def test_overflow_and_zeros():
    huge = np.full((2, 40), 1e19, np.float32)
    rows = [huge, np.zeros((2, 40), np.float32), huge * 10, huge * np.float32([[1], [1e-39]])]
    assert reduce_rows(LaneSumOfSquares(lanes=2), rows) == sums_of(rows)
    assert np.isinf(sum_of_squares(rows[2])).all()


def test_gaps_and_stalls(idle, back_pressure):
    rows = rows_of(3, [130, 40, 16], seed=2)
    assert reduce_rows(LaneSumOfSquares(lanes=3), rows, idle, back_pressure) == sums_of(rows)


@pytest.mark.parametrize("width", [144, 131])
@pytest.mark.parametrize("lanes", [1, 3])
def test_latency_and_one_element_a_cycle(lanes, width):
    dut = LaneSumOfSquares(lanes=lanes)
    elements = elements_of(rows_of(lanes, [width]))

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for element in elements:
            ctx.set(dut.i.payload, element)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
        cycles = 1
        while not ctx.get(dut.o.valid):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
            cycles += 1
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.i.ready)
        return cycles

    assert dut.latency(lanes) == 75 + 8 * lanes
    assert run(dut, bench, max_cycles=500) == [dut.latency(lanes) + -width % 16]


def test_the_constructor_checks_the_lanes():
    assert LaneSumOfSquares(lanes=7).lanes == 7
    for lanes in (0, 17, 2.0, True):
        with pytest.raises(ValueError, match=rf"lanes must be an integer in 1..16, not {lanes}"):
            LaneSumOfSquares(lanes=lanes)
