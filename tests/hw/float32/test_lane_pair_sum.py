import numpy as np
import pytest

from tercel.numerics import add
from tercel_hw.float32.lane_pair_sum import LanePairSum
from tercel_sim.testbench import random_gaps, run


def words(values) -> list:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).tolist()


@pytest.mark.parametrize("lanes", [(1,), (3,), (1, 1), (4, 4), (4, 1)])
def test_it_adds_the_pairs_of_every_lane(lanes):
    """Elements of all lanes at random distances that leave every lane its cycle."""
    count, pairs, together = sum(lanes), 6, lanes[0]
    values = abs(np.random.default_rng(1).normal(0, 3, (2 * pairs, count))).astype(np.float32)
    sums = words(add(values[0::2], values[1::2]))
    dut, gap = LanePairSum(lanes=lanes, tag_bits=3), random_gaps(2)
    terms, cycle = {}, 0
    for element, row in enumerate(values):
        for lane, value in enumerate(words(row)):
            group, tag = int(lane >= together), element % 8
            terms[cycle + lane, group] = {"value": value, "present": 1, "tag": tag}
        cycle += together if gap() else together + 2
    absent = {"value": 0x3F800000, "present": 0, "tag": 7}

    async def bench(ctx):
        seen = []
        for now in range(cycle + count + dut.LATENCY):
            for group in range(len(lanes)):
                ctx.set(dut.i[group], terms.get((now, group), absent))
            if ctx.get(dut.o.present):
                ended = terms[now - dut.LATENCY, len(seen) % count >= together]
                seen.append(ctx.get(dut.o.value))
                assert ctx.get(dut.o.tag) == ended["tag"] >> 1
            await ctx.tick()
        return seen

    assert run(dut, bench, max_cycles=300) == [np.ravel(sums).tolist()]
