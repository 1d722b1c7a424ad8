# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import sum_of_squares
from tercel_hw.float32 import SumOfSquares
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

PATTERNS = {"every cycle": lambda: every_cycle, "seldom": lambda: random_gaps(1, 0.3)}


def rows_of(widths, seed=1):
    generator = np.random.default_rng(seed)
    return [generator.normal(0, 3, width).astype(np.float32) for width in widths]


def sums(rows) -> list[int]:
    return [int(np.float32(sum_of_squares(row)).view(np.uint32)) for row in rows]


@pytest.mark.parametrize(
    ("elements", "widths"),
    [
        (1, [128, 40]),
        (2, [128, 1, 40]),
        (4, [128, 256, 3, 70]),
        (8, [128, 128, 256, 8, 152]),
        (16, [128, 128, 256, 384, 17, 120, 144]),
    ],
)
def test_whole_and_partial_rounds_after_one_another(reduce_rows, elements, widths):
    rows = rows_of(widths)
    assert reduce_rows(SumOfSquares(elements=elements), rows) == sums(rows)


def test_the_order_matters_for_the_rows_used_here():
    row = rows_of([384])[0]
    assert sums([row]) != [int(np.sum(row * row, dtype=np.float32).view(np.uint32))]


def test_overflow_and_zeros(reduce_rows):
    huge = np.full(128, 1e19, np.float32)
    rows = [huge, np.zeros(128, np.float32), -huge[:3] * 10, np.full(128, 1e-20, np.float32)]
    assert reduce_rows(SumOfSquares(elements=2), rows) == sums(rows)
    assert np.isinf(sum_of_squares(rows[2]))


@pytest.mark.parametrize("back_pressure", PATTERNS)
@pytest.mark.parametrize("idle", PATTERNS)
def test_gaps_and_stalls(reduce_rows, idle, back_pressure):
    rows = rows_of([128, 256, 130, 40], seed=2)
    dut = SumOfSquares(elements=4)
    assert reduce_rows(dut, rows, PATTERNS[idle](), PATTERNS[back_pressure]()) == sums(rows)


@pytest.mark.parametrize("elements", [2, 16])
def test_the_latency_and_one_beat_a_cycle(elements):
    """Rows of whole rounds flow without a pause; a sum comes as long after its row's end."""
    dut = SumOfSquares(elements=elements)
    rows = rows_of([128, 256, 128], seed=3)
    beats = np.concatenate(rows).view(np.uint32).reshape(-1, elements).tolist()
    ends = np.cumsum([len(row) // elements for row in rows]) - 1

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        seen = {}
        for cycle in range(len(beats) + dut.LATENCY):
            ctx.set(dut.i.valid, cycle < len(beats))
            if cycle < len(beats):
                ctx.set(dut.i.payload, {"x": beats[cycle], "last": int(cycle in ends)})
                assert ctx.get(dut.i.ready)
            if ctx.get(dut.o.valid):
                seen[cycle] = ctx.get(dut.o.payload)
            await ctx.tick()
        return seen

    assert dut.LATENCY == 72
    seen = run(dut, bench, max_cycles=400)[0]
    assert seen == dict(zip((ends + dut.LATENCY).tolist(), sums(rows), strict=True))


def test_a_partial_round_is_filled_in_as_many_cycles_as_groups_are_missing():
    dut = SumOfSquares(elements=4)
    row = rows_of([17])[0]
    beats = np.pad(row, (0, 3)).view(np.uint32).reshape(5, 4).tolist()

    async def source(ctx):
        await put_all(ctx, dut.i, [{"x": beat, "last": i == 4} for i, beat in enumerate(beats)])
        waited = 0
        while not ctx.get(dut.i.ready):
            await ctx.tick()
            waited += 1
        return waited

    async def sink(ctx):
        return await get_all(ctx, dut.o, 1)

    assert run(dut, source, sink, max_cycles=200) == [6, sums([row])]


def test_it_becomes_rtl():
    assert "module \\top" in rtlil.convert(SumOfSquares(elements=1))


def test_the_constructor_checks_the_elements():
    assert SumOfSquares(elements=8).elements == 8
    with pytest.raises(ValueError, match=r"elements must be one of \(1, 2, 4, 8, 16\), not 32"):
        SumOfSquares(elements=32)
    with pytest.raises(TypeError, match=r"elements must be an integer, not 2\.0"):
        SumOfSquares(elements=2.0)
