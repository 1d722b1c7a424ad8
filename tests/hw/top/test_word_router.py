import random

from amaranth.hdl import unsigned
from amaranth.lib import data

from tercel_hw.top.word_router import WordRouter
from tercel_sim.testbench import get_all, put_all, run

COMMAND = data.StructLayout({"target": unsigned(1), "words": unsigned(8)})


def test_words_go_to_the_target_of_their_run(idle, back_pressure):
    router = WordRouter(width=16, targets=2, command=COMMAND)
    generator = random.Random(3)
    runs = [(generator.randrange(2), generator.randrange(1, 9)) for _ in range(20)]
    words, expected = [], ([], [])
    for target, count in runs:
        for _ in range(count):
            words.append(len(words) * 7)
            expected[target].append(words[-1])

    async def command(ctx):
        await put_all(ctx, router.i_command, [{"target": t, "words": n} for t, n in runs], idle)

    async def give(ctx):
        await put_all(ctx, router.i, words, idle)

    def consumer(index):
        async def take(ctx):
            return await get_all(ctx, router.o[index], len(expected[index]), back_pressure)

        return take

    results = run(router, command, give, consumer(0), consumer(1), max_cycles=3000)
    assert results[2:] == [*expected]


def test_a_word_a_cycle_and_a_cycle_between_runs():
    router = WordRouter(width=16, targets=2, command=COMMAND)

    async def bench(ctx):
        ctx.set(router.i_command.payload, {"target": 1, "words": 5})
        ctx.set(router.i_command.valid, 1)
        ctx.set(router.i.valid, 1)
        ctx.set(router.o[1].ready, 1)
        taken = []
        for _ in range(13):
            taken.append(ctx.get(router.i.ready))
            assert ctx.get(router.active) == (2 if taken[-1] else 0)
            await ctx.tick()
        return taken

    assert run(router, bench, max_cycles=50) == [[0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0]]
