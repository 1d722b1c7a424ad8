import random
from dataclasses import replace

import pytest

from tercel_hw.memory import AxiConfig, AxiWriter, BurstConfig, WriterConfig
from tercel_sim.testbench import put_all, random_gaps

SMALL = WriterConfig(
    burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12),
    outstanding=4,
    buffer_beats=32,
)
RUNS = [(0, 5), (30, 3), (100, 70), (7, 0), (1020, 16), (12, 1)]


def content(runs, seed=5):
    generator = random.Random(seed)
    return [generator.getrandbits(32) for _ in range(sum(count for _, count in runs))]


def placed(runs, beats):
    places = [start + index for start, count in runs for index in range(count)]
    return dict(zip(places, beats, strict=True))


def write(writer, runs, beats, idle=None):
    gaps = [idle] if idle else []

    async def commands(ctx):
        values = [{"address": start, "beats": count} for start, count in runs]
        await put_all(ctx, writer.i_command, values, *gaps)
        while ctx.get(writer.busy):
            await ctx.tick()

    async def source(ctx):
        await put_all(ctx, writer.i, beats, *gaps)

    return commands, source


@pytest.mark.parametrize("latency", [1, 25])
def test_runs_are_written(write_memory, simulate, idle, back_pressure, latency):
    writer, beats = AxiWriter(config=SMALL), content(RUNS)
    memory = write_memory(writer.axi, latency=latency, ask=random_gaps(9), take=back_pressure)
    benches = write(writer, RUNS, beats, idle)
    simulate(writer, *benches, memories=[memory], max_cycles=3000)
    assert memory.written == placed(RUNS, beats)


@pytest.mark.parametrize("latency", [1, 25])
def test_only_the_bytes_of_a_strobe_are_written(write_memory, simulate, back_pressure, latency):
    writer, generator = AxiWriter(config=replace(SMALL, strobes=True)), random.Random(2)
    beats, strobes = content(RUNS), [generator.getrandbits(4) for _ in range(95)]
    memory = write_memory(writer.axi, latency=latency, take=back_pressure, strobes=True)
    places = placed(RUNS, beats)
    memory.written = dict.fromkeys(places, 0x5A5A5A5A)
    parts = [{"data": data, "strobe": strobe} for data, strobe in zip(beats, strobes, strict=True)]
    simulate(writer, *write(writer, RUNS, parts), memories=[memory], max_cycles=3000)
    for place, strobe in zip(places, strobes, strict=True):
        for byte in range(4):
            data = places[place] if strobe >> byte & 1 else 0x5A5A5A5A
            assert (memory.written[place] ^ data) >> 8 * byte & 255 == 0


def test_outstanding_from_the_announcement_to_the_confirmation(write_memory, simulate):
    writer, asks = AxiWriter(config=SMALL), [False]
    memory = write_memory(writer.axi, latency=9, ask=lambda: asks[0])

    async def bench(ctx):
        await put_all(ctx, writer.i_command, [{"address": 0, "beats": 2}])
        await put_all(ctx, writer.i, [5])
        await ctx.tick().repeat(10)
        assert not ctx.get(writer.outstanding)
        await put_all(ctx, writer.i, [6])
        await ctx.tick().repeat(10)
        assert ctx.get(writer.axi.awvalid)
        assert ctx.get(writer.outstanding)
        asks[0] = True
        while ctx.get(writer.outstanding):
            assert memory.written.keys() != {0, 1} or ctx.get(writer.busy)
            await ctx.tick()
        assert not ctx.get(writer.busy)
        assert memory.written == {0: 5, 1: 6}

    simulate(writer, bench, memories=[memory], max_cycles=100)


def test_one_beat_a_cycle(write_memory, simulate):
    writer, runs = AxiWriter(config=SMALL), [(0, 300), (512, 212)]
    beats = content(runs)
    memory = write_memory(writer.axi, latency=20)
    simulate(writer, *write(writer, runs, beats), memories=[memory], max_cycles=700)
    assert memory.written == placed(runs, beats)
    assert memory.arrivals[-1] - memory.arrivals[0] == len(beats) - 1
    assert memory.most_open <= SMALL.outstanding


def test_a_burst_waits_until_it_is_complete(write_memory, simulate):
    writer, memory = AxiWriter(config=SMALL), None
    memory = write_memory(writer.axi)

    async def bench(ctx):
        await put_all(ctx, writer.i_command, [{"address": 0, "beats": 16}])
        await put_all(ctx, writer.i, range(15))
        await ctx.tick().repeat(30)
        assert memory.requests == []
        assert ctx.get(writer.busy)
        await put_all(ctx, writer.i, [15])
        while ctx.get(writer.busy):
            await ctx.tick()

    simulate(writer, bench, memories=[memory], max_cycles=200)
    assert memory.written == {place: place for place in range(16)}


@pytest.mark.parametrize("code", [2, 3])
def test_the_first_error_stays_until_cleared(write_memory, simulate, code):
    writer, beats = AxiWriter(config=SMALL), content([(0, 64)])
    memory = write_memory(writer.axi, errors={16: code, 32: 5 - code})
    commands, source = write(writer, [(0, 64)], beats)

    async def bench(ctx):
        await commands(ctx)
        assert ctx.get(writer.error) == code
        ctx.set(writer.clear, 1)
        await ctx.tick()
        assert ctx.get(writer.error) == 0

    simulate(writer, bench, source, memories=[memory], max_cycles=400)
    assert memory.written == placed([(0, 64)], beats)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"outstanding": 3}, "outstanding must be a power of two in 2..256, not 3"),
        ({"buffer_beats": 63}, "buffer_beats must be an integer in 64..65536, not 63"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        WriterConfig(**fields)


def test_strobes_are_a_bool():
    with pytest.raises(TypeError, match="strobes must be a bool, not 1"):
        WriterConfig(strobes=1)
