# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.float32 import MagnitudeMaximum
from tercel_sim.testbench import every_cycle, random_gaps, run

PATTERNS = {
    "every cycle": lambda: every_cycle,
    "half": lambda: random_gaps(1),
    "seldom": lambda: random_gaps(2, 0.15),
}


def rows_of(floats):
    """Rows that end anywhere, with the largest element anywhere; zeros; single elements."""
    rows = [floats.random(seed, width) for seed, width in enumerate([1, 1, 40, 16, 17, 64, 3])]
    return [*rows, np.zeros(5, np.float32), floats.corners, np.float32([-0.0]), rows[0]]


def maxima(rows) -> list[int]:
    return [int(np.abs(row).max().view(np.uint32)) for row in rows]


@pytest.mark.parametrize("elements", [1, 2, 4, 8, 16])
def test_rows_after_one_another(floats, reduce_rows, elements):
    rows = rows_of(floats)
    assert reduce_rows(MagnitudeMaximum(elements=elements), rows) == maxima(rows)


@pytest.mark.parametrize("idle", PATTERNS)
@pytest.mark.parametrize("back_pressure", PATTERNS)
def test_gaps_and_stalls(floats, reduce_rows, idle, back_pressure):
    rows = rows_of(floats)
    dut = MagnitudeMaximum(elements=4)
    results = reduce_rows(dut, rows, PATTERNS[idle](), PATTERNS[back_pressure]())
    assert results == maxima(rows)


@pytest.mark.parametrize("elements", [1, 2, 4, 8, 16])
def test_the_latency_and_one_beat_a_cycle(elements):
    """Two rows of two beats: the maxima come two cycles apart."""
    dut = MagnitudeMaximum(elements=elements)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        seen = []
        for cycle in range(dut.latency + 8):
            valid = cycle in (2, 3, 4, 5)
            ctx.set(dut.i.valid, valid)
            beat = [cycle if valid else 99] * elements
            ctx.set(dut.i.payload, {"x": beat, "last": cycle in (0, 3, 5, 6)})
            assert ctx.get(dut.i.ready)
            seen.append(ctx.get(dut.o.payload) if ctx.get(dut.o.valid) else None)
            await ctx.tick()
        return seen

    assert dut.latency == np.log2(elements) + 1
    expected = [None] * (dut.latency + 8)
    expected[3 + dut.latency], expected[5 + dut.latency] = 3, 5
    assert run(dut, bench, max_cycles=50)[0] == expected


def test_it_becomes_rtl():
    assert "module \\top" in rtlil.convert(MagnitudeMaximum(elements=4))


def test_the_constructor_checks_the_elements():
    assert MagnitudeMaximum(elements=8).elements == 8
    with pytest.raises(ValueError, match=r"elements must be one of \(1, 2, 4, 8, 16\), not 3"):
        MagnitudeMaximum(elements=3)
    with pytest.raises(TypeError, match="elements must be an integer, not '4'"):
        MagnitudeMaximum(elements="4")
