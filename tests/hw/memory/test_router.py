import random

import pytest

from tercel_hw.memory import (
    AxiConfig,
    BurstConfig,
    ReaderConfig,
    RoutedConfig,
    RoutedReader,
    StripedConfig,
)
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps

BURST = BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12)
STRIPED = StripedConfig(reader=ReaderConfig(burst=BURST, buffer_beats=48), ports=2)
RUNS = [(0, 20, 0), (100, 1, 1), (40, 0, 2), (200, 33, 2), (7, 5, 1), (300, 1, 0), (301, 16, 0)]


def play(read_memory, simulate, runs, config, take=every_cycle):
    """Read runs; return the words of each destination and the memories."""
    reader, generator = RoutedReader(config=config), random.Random(3)
    beats = [[generator.getrandbits(32) for _ in range(1024)] for _ in range(STRIPED.ports)]
    memories = [read_memory(reader.axi[port], beats[port], latency=8) for port in range(2)]
    wanted = [[] for _ in range(config.destinations)]
    for start, count, destination in runs:
        words = [beats[0][p] | beats[1][p] << 32 for p in range(start, start + count)]
        wanted[destination] += words

    async def source(ctx):
        values = [{"address": a, "beats": b, "destination": d} for a, b, d in runs]
        await put_all(ctx, reader.i_command, values)

    def sink(index):
        async def take_all(ctx):
            return await get_all(ctx, reader.o[index], len(wanted[index]), take)

        return take_all

    sinks = [sink(index) for index in range(config.destinations)]
    got = simulate(reader, source, *sinks, memories=memories, max_cycles=3000)[1:]
    assert got == wanted
    return memories


def test_words_reach_their_destination(read_memory, simulate, back_pressure):
    config = RoutedConfig(striped=STRIPED, destinations=3, runs=2)
    play(read_memory, simulate, RUNS, config, back_pressure)


def test_one_word_a_cycle_over_destinations(read_memory, simulate):
    runs = [(20 * index, 16 + index % 3, index % 2) for index in range(12)]
    memories = play(read_memory, simulate, runs, RoutedConfig(striped=STRIPED))
    total = sum(count for _, count, _ in runs)
    assert memories[0].arrivals[-1] - memories[0].arrivals[0] == total - 1


def test_a_destination_that_does_not_take_holds_up_the_rest(read_memory, simulate):
    reader = RoutedReader(config=RoutedConfig(striped=STRIPED))
    memories = [read_memory(reader.axi[port], list(range(64))) for port in range(2)]

    async def bench(ctx):
        values = [{"address": 0, "beats": 4, "destination": d} for d in (0, 1)]
        await put_all(ctx, reader.i_command, values)
        await ctx.tick().repeat(4)
        assert ctx.get(reader.outstanding)
        ctx.set(reader.o[1].ready, 1)
        await ctx.tick().repeat(40)
        assert not ctx.get(reader.outstanding)
        assert ctx.get(reader.o[0].valid)
        assert not ctx.get(reader.o[1].valid)
        assert ctx.get(reader.busy)
        ctx.set(reader.o[1].ready, 0)
        assert len(await get_all(ctx, reader.o[0], 4, random_gaps(1))) == 4
        assert len(await get_all(ctx, reader.o[1], 4)) == 4
        assert not ctx.get(reader.busy)

    simulate(reader, bench, memories=memories, max_cycles=300)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"destinations": 0}, r"destinations must be an integer in 1\.\.16, not 0"),
        ({"runs": 1}, r"runs must be an integer in 2\.\.256, not 1"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        RoutedConfig(**fields)
