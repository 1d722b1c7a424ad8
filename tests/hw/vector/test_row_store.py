import numpy as np

from tercel_hw.vector.row_store import RowStore
from tercel_sim.testbench import random_gaps, run


def test_rows_of_any_length_leave_in_order_a_read_latency_later():
    dut, rng, gap = RowStore(lanes=2, elements=20), np.random.default_rng(1), random_gaps(1)
    rows = [rng.integers(0, 1 << 32, (length, 2)).tolist() for length in (5, 1, 20, 19, 20)]

    async def bench(ctx):
        for row in rows:
            for index, element in enumerate(row):
                ctx.set(dut.write, 1)
                ctx.set(dut.i, element)
                ctx.set(dut.last, index == len(row) - 1)
                await ctx.tick()
                ctx.set(dut.write, 0)
                ctx.set(dut.i, [0, 0])
                while gap():
                    await ctx.tick()
            asked, due, seen = 0, [], []
            while len(seen) < len(row):
                ctx.set(dut.read, reading := asked < len(row) and gap())
                if reading:
                    asked += 1
                    assert ctx.get(dut.ends) == (asked == len(row))
                due.append(reading)
                if len(due) > dut.READ_LATENCY and due[-1 - dut.READ_LATENCY]:
                    seen.append(list(ctx.get(dut.o)))
                await ctx.tick()
            ctx.set(dut.read, 0)
            assert seen == row

    run(dut, bench, max_cycles=600)
