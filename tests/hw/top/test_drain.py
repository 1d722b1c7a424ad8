import pytest

from tercel_hw.top.drain import Drain
from tercel_hw.top.outstanding import Outstanding
from tercel_sim.testbench import run


@pytest.mark.parametrize(("busy", "cycles"), [(0, 3), (1, 3), (10, 12), (500, 502)])
def test_the_ports_are_reset_when_they_are_quiet(busy, cycles):
    drain = Drain()

    async def bench(ctx):
        resets = []
        for _ in range(2):
            ctx.set(drain.quiet, busy == 0)
            ctx.set(drain.reset, 1)
            await ctx.tick()
            ctx.set(drain.reset, 0)
            flushed, restarts = 0, []
            while ctx.get(drain.flush):
                ctx.set(drain.quiet, flushed >= busy)
                flushed += 1
                restarts.append(ctx.get(drain.restart))
                await ctx.tick()
            assert not ctx.get(drain.restart)
            resets.append((flushed, restarts))
        return resets

    assert run(drain, bench, max_cycles=1200) == [[(cycles, [0] * (cycles - 1) + [1])] * 2]


def test_no_reset_follows_from_an_input_of_the_same_cycle():
    drain = Drain()

    async def bench(ctx):
        for _ in range(6):
            for port in (drain.quiet, drain.reset):
                before = ctx.get(drain.flush), ctx.get(drain.restart)
                ctx.set(port, ~ctx.get(port) & 1)
                assert (ctx.get(drain.flush), ctx.get(drain.restart)) == before
                ctx.set(port, 1)
            await ctx.tick()

    run(drain, bench, max_cycles=50)


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
