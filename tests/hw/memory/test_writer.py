import random

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
