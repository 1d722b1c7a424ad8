import numpy as np
import pytest

from tercel import numerics
from tercel_hw.float32.round_robin_accumulator import RoundRobinAccumulator
from tercel_sim.testbench import every_cycle, random_gaps, run


def totals(row) -> list[int]:
    rounds = row.reshape(-1, 8)
    total = rounds[0]
    for values in rounds[1:]:
        total = numerics.add(total, values)
    return total.view(np.uint32).tolist()


@pytest.mark.parametrize("gaps", [every_cycle, random_gaps(1), random_gaps(2, 0.1)])
def test_sums_are_told_in_turn_while_the_next_row_runs(gaps):
    dut = RoundRobinAccumulator()
    generator = np.random.default_rng(1)
    rows = [generator.uniform(0, 9, n).astype(np.float32) for n in (16, 8, 8, 40, 8)]
    ends = []

    async def source(ctx):
        ctx.set(dut.enable, 1)
        cycle = 0
        for row in rows:
            for index, value in enumerate(row.view(np.uint32).tolist()):
                while not gaps():
                    ctx.set(dut.present, 0)
                    await ctx.tick()
                    cycle += 1
                last = index == len(row) - 1
                ctx.set(dut.i, value)
                ctx.set(dut.present, 1)
                ctx.set(dut.marks, {"slot": index % 8, "first_round": index < 8, "last": last})
                if last:
                    ends.append(cycle)
                await ctx.tick()
                cycle += 1
        ctx.set(dut.present, 0)

    async def sink(ctx):
        told, cycle = [], 0
        while len(told) < 8 * len(rows):
            if ctx.get(dut.o.present):
                told.append((cycle, ctx.get(dut.o.value), ctx.get(dut.o.last)))
            await ctx.tick()
            cycle += 1
        return told

    told = run(dut, source, sink, max_cycles=2000)[1]
    expected = [
        (end + 2 + index, value, index == 7)
        for end, row in zip(ends, rows, strict=True)
        for index, value in enumerate(totals(row))
    ]
    assert told == expected
    assert dut.LATENCY == 9
