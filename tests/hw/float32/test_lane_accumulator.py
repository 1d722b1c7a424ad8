import numpy as np
import pytest

from tercel.numerics import add
from tercel_hw.float32.lane_accumulator import LaneAccumulator
from tercel_sim.testbench import run

APART = 16
"""Cycles between a lane's terms."""


def words(values) -> list:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).tolist()


def golden(terms):
    """``[count, lanes]``: each lane's terms dealt to 8 sums, and a tree over these."""
    slots = np.zeros((8, terms.shape[1]), np.float32)
    for index, term in enumerate(terms):
        slots[index % 8] = add(slots[index % 8], term)
    while len(slots) > 1:
        slots = add(slots[0::2], slots[1::2])
    return slots[0]


@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_sums_and_latency_of_successive_rows(lanes):
    """Sums of an earlier row never get into a later one, whatever their number of terms."""
    rng = np.random.default_rng(lanes)
    rows = [rng.random((count, lanes)).astype(np.float32) for count in (18, 1, 8, 3)]
    dut = LaneAccumulator(lanes=lanes)

    async def bench(ctx):
        for row in rows:
            for index, terms in enumerate(row):
                for slot in range(APART):
                    last_lane = index == len(row) - 1 and slot == lanes - 1
                    ctx.set(dut.i.present, slot < lanes)
                    ctx.set(dut.i.tag, index == len(row) - 1)
                    ctx.set(dut.i.value, words(terms)[min(slot, lanes - 1)])
                    await ctx.tick()
                    if last_lane:
                        break
            ctx.set(dut.i.present, 0)
            for _ in range(dut.latency(lanes) - 1):
                assert not ctx.get(dut.o.valid)
                await ctx.tick()
            assert ctx.get(dut.o.valid)
            assert list(ctx.get(dut.o.payload)) == words(golden(row))
            ctx.set(dut.o.ready, 1)
            await ctx.tick()
            ctx.set(dut.o.ready, 0)

    assert LaneAccumulator.latency(lanes) == 37 + 7 * lanes
    run(dut, bench, max_cycles=2500)
