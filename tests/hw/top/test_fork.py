from amaranth.hdl import unsigned
from amaranth.lib import data

from tercel_hw.top.fork import QUEUE, CommandFork
from tercel_sim.testbench import get_all, put_all, random_gaps, run

LAYOUT = data.StructLayout({"number": unsigned(9)})


def test_every_consumer_gets_every_command(idle):
    fork = CommandFork(layout=LAYOUT, consumers=("a", "b", "c"))
    commands = [{"number": number} for number in range(40)]

    async def give(ctx):
        await put_all(ctx, fork.i, commands, idle)

    def consumer(index):
        async def take(ctx):
            return await get_all(ctx, fork.to("abc"[index]), len(commands), random_gaps(index, 0.5))

        return take

    results = run(fork, give, *map(consumer, range(3)), max_cycles=1000)
    for taken in results[1:]:
        assert [item.number for item in taken] == list(range(40))


def test_a_slow_consumer_holds_up_the_others_after_its_queue_is_full():
    fork = CommandFork(layout=LAYOUT, consumers=("a", "b"))

    async def give(ctx):
        await put_all(ctx, fork.i, [{"number": number} for number in range(QUEUE)])
        assert not ctx.get(fork.i.ready)
        assert not ctx.get(fork.empty)

    async def take(ctx):
        return len(await get_all(ctx, fork.to("a"), QUEUE))

    async def late(ctx):
        await ctx.tick().repeat(50)
        taken = await get_all(ctx, fork.to("b"), QUEUE)
        await ctx.tick()
        assert ctx.get(fork.empty)
        return len(taken)

    assert run(fork, give, take, late, max_cycles=200)[1:] == [QUEUE, QUEUE]
