import pytest

from tercel_hw.top.drain import Drain
from tercel_hw.top.outstanding import Outstanding
from tercel_sim.testbench import run


@pytest.mark.parametrize(("busy", "cycles"), [(0, 2), (1, 2), (10, 11), (500, 501)])
def test_the_ports_are_reset_when_they_are_quiet(busy, cycles):
    drain = Drain()

    async def bench(ctx):
        resets = []
        for _ in range(2):
            ctx.set(drain.quiet, busy == 0)
            ctx.set(drain.reset, 1)
            await ctx.tick()
            ctx.set(drain.reset, 0)
            flushed = restarts = 0
            while ctx.get(drain.flush):
                ctx.set(drain.quiet, flushed >= busy)
                flushed += 1
                restarts += ctx.get(drain.restart)
                await ctx.tick()
            resets.append((flushed, restarts))
        return resets

    assert run(drain, bench, max_cycles=1200) == [[(cycles, 1)] * 2]


def test_outstanding_counts():
    counter = Outstanding(most=7)

    async def bench(ctx):
        seen = []
        for issued, done in ((2, 0), (1, 1), (0, 1), (0, 1), (1, 0), (0, 1), (0, 0)):
            seen.append(ctx.get(counter.any))
            ctx.set(counter.issued, issued)
            ctx.set(counter.done, done)
            await ctx.tick()
        return seen

    assert run(counter, bench, max_cycles=50) == [[0, 1, 1, 1, 0, 1, 0]]
