import random

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory import (
    Axi4Signature,
    AxiConfig,
    BurstConfig,
    CommandMerge,
    FetchChannel,
    FetchConfig,
    ReaderConfig,
    RoutedConfig,
    RoutedReader,
    StripedConfig,
)
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

BURST = BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12)
STRIPED = StripedConfig(reader=ReaderConfig(burst=BURST, buffer_beats=48), ports=2)
ROUTED = RoutedConfig(striped=STRIPED, destinations=2)
CONFIG = FetchConfig(striped=STRIPED, depth=24, step=4)
RUNS = [[(5, 100), (30, 0), (300, 33)], [(7, 1), (600, 90), (64, 64)]]


def runs_of(runs):
    return [{"address": address, "beats": beats} for address, beats in runs]


def test_no_more_than_the_fifo_takes():
    """Steps of 3, then 4, together 23 of 24 words; the next when three have left."""
    channel = FetchChannel(config=CONFIG)

    async def bench(ctx):
        asked = []
        ctx.set(channel.o_command.ready, 1)
        ctx.set(channel.i_command.payload, {"address": 5, "beats": 100})
        ctx.set(channel.i_command.valid, 1)
        await ctx.tick()
        ctx.set(channel.i_command.valid, 0)
        for cycle in range(60):
            *_, valid, step = await ctx.tick().sample(
                channel.o_command.valid, channel.o_command.payload
            )
            since = cycle - (channel.LATENCY - 1)
            assert valid == (0 <= since < 12 and since % 2 == 0)
            asked += [(step.address, step.beats)] if valid else []
        assert asked == [(5, 3), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4)]
        ctx.set(channel.o_command.ready, 0)
        await put_all(ctx, channel.i, range(23))
        for word in range(3):
            assert not ctx.get(channel.o_command.valid)
            assert await get_all(ctx, channel.o, 1) == [word]
            await ctx.tick().repeat(3)
        assert ctx.get(channel.o_command.valid)
        step = ctx.get(channel.o_command.payload)
        assert (step.address, step.beats) == (28, 4)

    run(channel, bench, max_cycles=200)


class Shared(wiring.Component):
    """Two channels on the same ports, with steps of 4 and 16 words."""

    def __init__(self, ram_style=None):
        self.merge, self.reader = CommandMerge(config=ROUTED), RoutedReader(config=ROUTED)
        self.channels = [
            FetchChannel(
                config=FetchConfig(striped=STRIPED, depth=depth, step=step, ram_style=ram_style)
            )
            for depth, step in ((24, 4), (48, 16))
        ]
        runs = stream.Signature(BURST.command)
        words = stream.Signature(unsigned(STRIPED.word_width))
        super().__init__(
            {
                "axi": Out(Axi4Signature(BURST.axi, write=False)).array(2),
                "i": In(runs).array(2),
                "o": Out(words).array(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.merge, m.submodules.reader = self.merge, self.reader
        for index, channel in enumerate(self.channels):
            m.submodules[f"channel{index}"] = channel
            connect(m, self.reader.axi[index], flipped(self.axi[index]))
            connect(m, flipped(self.i[index]), channel.i_command)
            connect(m, channel.o_command, self.merge.i[index])
            connect(m, self.reader.o[index], channel.i)
            connect(m, channel.o, flipped(self.o[index]))
        connect(m, self.merge.o, self.reader.i_command)
        return m


def memories(read_memory, shared, answer=every_cycle):
    generator = random.Random(8)
    beats = [[generator.getrandbits(32) for _ in range(1024)] for _ in range(2)]
    served = [read_memory(axi, beats[port], latency=9) for port, axi in enumerate(shared.axi)]
    served[1].answer = answer
    return served, [low | high << 32 for low, high in zip(*beats, strict=True)]


def benches(shared, words, idle, back_pressure):
    made, wanted = [], []
    for index, runs in enumerate(RUNS):
        mine = [word for start, count in runs for word in words[start : start + count]]
        wanted.append(mine)

        async def ask(ctx, index=index, runs=runs):
            await put_all(ctx, shared.i[index], runs_of(runs), idle)

        async def take(ctx, index=index, mine=mine):
            return await get_all(ctx, shared.o[index], len(mine), back_pressure)

        made += [ask, take]
    return made, wanted


@pytest.mark.parametrize("ram_style", ["distributed", "ultra"])
def test_words_arrive_whatever_the_step(read_memory, simulate, idle, back_pressure, ram_style):
    """Steps may be shorter than the readers' bursts."""
    shared = Shared(ram_style)
    served, words = memories(read_memory, shared, random_gaps(5, 0.7))
    made, wanted = benches(shared, words, idle, back_pressure)
    taken = simulate(shared, *made, memories=served, max_cycles=3000)
    assert taken[1::2] == wanted


def test_a_channel_that_waits_holds_up_none(read_memory, simulate):
    shared = Shared()
    served, words = memories(read_memory, shared)

    async def stuck(ctx):
        await put_all(ctx, shared.i[0], runs_of([(0, 200)]))

    async def bench(ctx):
        await ctx.tick().repeat(60)
        await put_all(ctx, shared.i[1], runs_of([(500, 100)]))
        assert await get_all(ctx, shared.o[1], 100) == words[500:600]
        assert await get_all(ctx, shared.o[0], 200) == words[:200]

    simulate(shared, stuck, bench, memories=served, max_cycles=800)


def test_one_word_a_cycle_with_short_steps(read_memory, simulate):
    """The memory answers within ``depth - step - 1`` cycles; a step is a request on every port."""
    shared = Shared()
    served, words = memories(read_memory, shared)
    for memory in served:
        memory.latency = 3

    async def ask(ctx):
        await put_all(ctx, shared.i[1], runs_of([(16, 320)]))

    async def take(ctx):
        return await get_all(ctx, shared.o[1], 320)

    assert simulate(shared, ask, take, memories=served, max_cycles=400)[1] == words[16:336]
    assert served[0].arrivals[-1] - served[0].arrivals[0] == 319


@pytest.mark.parametrize(("ram_style", "latency"), [(None, 3), ("block", 4), ("ultra", 5)])
def test_the_latency_of_words(ram_style, latency):
    config = FetchConfig(striped=STRIPED, depth=24, step=4, ram_style=ram_style)
    channel = FetchChannel(config=config)

    async def bench(ctx):
        ctx.set(channel.o.ready, 1)
        await put_all(ctx, channel.i, [77])
        for cycle in range(1, 20):
            *_, valid = await ctx.tick().sample(channel.o.valid)
            if valid:
                return cycle
        return None

    assert run(channel, bench, max_cycles=30)[0] == config.latency == latency


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"step": 3}, r"step must be a power of two in 2\.\.256, not 3"),
        ({"step": 512}, r"step must be a power of two in 2\.\.256, not 512"),
        ({"depth": 63}, r"depth must be an integer in 64\.\.1048576, not 63"),
        ({"ram_style": "lut"}, "ram_style must be one of None, 'block', .*, not 'lut'"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        FetchConfig(**fields)
