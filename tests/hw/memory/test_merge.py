from tercel_hw.memory import (
    AxiConfig,
    BurstConfig,
    CommandMerge,
    ReaderConfig,
    RoutedConfig,
    StripedConfig,
)
from tercel_sim.testbench import get_all, put_all, run

BURST = BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12)
STRIPED = StripedConfig(reader=ReaderConfig(burst=BURST, buffer_beats=48), ports=1)
CONFIG = RoutedConfig(striped=STRIPED, destinations=3)


def commands(destination, count):
    return [{"address": 100 * destination + index, "beats": index + 1} for index in range(count)]


def sources(merge, counts, gaps):
    def source(destination):
        async def offer(ctx):
            await put_all(
                ctx, merge.i[destination], commands(destination, counts[destination]), gaps
            )

        return offer

    return [source(destination) for destination in range(CONFIG.destinations)]


def test_every_run_comes_once_and_in_order(idle, back_pressure):
    merge, counts = CommandMerge(config=CONFIG), [12, 9, 15]

    async def sink(ctx):
        return await get_all(ctx, merge.o, sum(counts), back_pressure)

    *_, taken = run(merge, *sources(merge, counts, idle), sink, max_cycles=1000)
    for destination, count in enumerate(counts):
        mine = [(t.address, t.beats) for t in taken if t.destination == destination]
        assert mine == [(c["address"], c["beats"]) for c in commands(destination, count)]


def test_the_first_destination_is_the_most_urgent():
    """All ask in every cycle: a run every other cycle, a cycle after it was taken."""
    merge, counts = CommandMerge(config=CONFIG), [4, 3, 2]

    async def sink(ctx):
        ctx.set(merge.o.ready, 1)
        await ctx.tick().repeat(merge.LATENCY)
        seen = []
        for _ in range(sum(counts)):
            *_, valid, run_taken = await ctx.tick().sample(merge.o.valid, merge.o.payload)
            assert valid
            seen.append(run_taken.destination)
            *_, valid = await ctx.tick().sample(merge.o.valid)
            assert not valid
        return seen

    *_, seen = run(merge, *sources(merge, counts, lambda: True), sink, max_cycles=100)
    assert seen == [0] * 4 + [1] * 3 + [2] * 2
