import random

import pytest

from tercel_hw.memory import AxiConfig, AxiReader, BurstConfig, ReaderConfig
from tercel_sim.testbench import get_all, put_all, random_gaps

SMALL = ReaderConfig(
    burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12),
    outstanding=3,
    buffer_beats=40,
)
RUNS = [(0, 5), (30, 3), (100, 70), (7, 0), (1020, 16), (12, 1)]


def content(beats=4096, width=32, seed=5):
    generator = random.Random(seed)
    return [generator.getrandbits(width) for _ in range(beats)]


def wanted(beats, runs):
    return [beats[start + index] for start, count in runs for index in range(count)]


def read(reader, memory, runs, simulate, idle=None, take=None, max_cycles=3000):
    words = wanted(memory.beats, runs)

    async def source(ctx):
        values = [{"address": start, "beats": count} for start, count in runs]
        await put_all(ctx, reader.i_command, values, *([idle] if idle else []))

    async def sink(ctx):
        taken = await get_all(ctx, reader.o, len(words), *([take] if take else []))
        assert not ctx.get(reader.busy)
        return taken

    return simulate(reader, source, sink, memories=[memory], max_cycles=max_cycles)[1]


@pytest.mark.parametrize("latency", [1, 30])
def test_runs_arrive_in_order(read_memory, simulate, idle, back_pressure, latency):
    reader, beats = AxiReader(config=SMALL), content()
    gaps = random_gaps(8)
    memory = read_memory(reader.axi, beats, latency=latency, ask=gaps, answer=gaps)
    assert read(reader, memory, RUNS, simulate, idle, back_pressure) == wanted(beats, RUNS)


def test_one_beat_a_cycle_over_bursts_and_runs(read_memory, simulate):
    config = ReaderConfig(
        burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=64), buffer_beats=128
    )
    reader, beats = AxiReader(config=config), content(5000)
    memory = read_memory(reader.axi, beats, latency=40)
    runs = [(10, 1500), (2000, 2500), (0, 96)]
    assert read(reader, memory, runs, simulate, max_cycles=4300) == wanted(beats, runs)
    assert len(memory.arrivals) == 4096
    assert memory.arrivals[-1] - memory.arrivals[0] == 4095
    first_request = memory.requests[0][0]
    assert memory.arrivals[0] == first_request + 40


@pytest.mark.parametrize(("outstanding", "buffer_beats"), [(8, 48), (3, 200)])
@pytest.mark.parametrize("beyond", [0, 1])
def test_the_latency_up_to_which_the_port_never_idles(
    read_memory, simulate, outstanding, buffer_beats, beyond
):
    config = ReaderConfig(burst=SMALL.burst, outstanding=outstanding, buffer_beats=buffer_beats)
    reader, beats = AxiReader(config=config), content()
    memory = read_memory(reader.axi, beats, latency=config.full_rate_latency + beyond)
    read(reader, memory, [(0, 160)], simulate)
    idle = memory.arrivals[-1] - memory.arrivals[0] - 159
    assert (idle > 0) == bool(beyond)


def test_latencies(read_memory, simulate):
    reader, beats = AxiReader(config=SMALL), content()
    memory = read_memory(reader.axi, beats, latency=10)

    async def bench(ctx):
        await ctx.tick().repeat(4)
        await put_all(ctx, reader.i_command, [{"address": 3, "beats": 1}])
        ctx.set(reader.o.ready, 1)
        for cycle in range(5, 100):
            *_, valid = await ctx.tick().sample(reader.o.valid)
            if valid:
                return cycle
        return None

    (offered,) = simulate(reader, bench, memories=[memory], max_cycles=200)
    assert memory.requests[0][0] == 4 + reader.LATENCY
    assert offered == memory.arrivals[0] + reader.DATA_LATENCY


def test_requests_stay_within_the_limits(read_memory, simulate):
    reader, beats = AxiReader(config=SMALL), content()
    memory = read_memory(reader.axi, beats, latency=60)

    async def source(ctx):
        await put_all(ctx, reader.i_command, [{"address": 0, "beats": 200}])
        await ctx.tick().repeat(200)

    simulate(reader, source, memories=[memory], max_cycles=400)
    asked = sum(beats for _, _, beats in memory.requests)
    assert asked <= SMALL.buffer_beats
    assert len(memory.arrivals) == asked
    assert memory.most_open == 2

    reader = AxiReader(
        config=ReaderConfig(
            burst=SMALL.burst, outstanding=3, buffer_beats=16 * SMALL.outstanding * 2
        )
    )
    memory = read_memory(reader.axi, beats, latency=60)
    runs = [(0, 200)]
    assert read(reader, memory, runs, simulate) == wanted(beats, runs)
    assert memory.most_open == 3


def test_memory_is_never_made_to_wait(read_memory, simulate):
    reader, beats = AxiReader(config=SMALL), content()
    memory = read_memory(reader.axi, beats, latency=5)

    async def watch(ctx):
        for _ in range(300):
            *_, valid, ready = await ctx.tick().sample(reader.axi.rvalid, reader.axi.rready)
            assert ready or not valid

    async def source(ctx):
        await put_all(ctx, reader.i_command, [{"address": 0, "beats": 300}])

    async def sink(ctx):
        return await get_all(ctx, reader.o, 60, random_gaps(2, 0.2))

    simulate(reader, source, sink, watch, memories=[memory], max_cycles=1000)


@pytest.mark.parametrize("code", [2, 3])
def test_the_first_error_stays_until_cleared(read_memory, simulate, code):
    reader, beats = AxiReader(config=SMALL), content()
    memory = read_memory(reader.axi, beats, errors={20: code, 25: 5 - code})
    assert read(reader, memory, [(0, 40)], simulate) == beats[:40]

    memory = read_memory(reader.axi, beats, errors={20: code, 25: 5 - code})

    async def bench(ctx):
        await put_all(ctx, reader.i_command, [{"address": 0, "beats": 40}])
        await get_all(ctx, reader.o, 40)
        assert ctx.get(reader.error) == code
        ctx.set(reader.clear, 1)
        await ctx.tick()
        assert ctx.get(reader.error) == 0

    simulate(reader, bench, memories=[memory], max_cycles=400)


def test_outstanding_until_the_last_beat_has_arrived(read_memory, simulate):
    """The arrival counts, not the transfer of the beats to the consumer."""
    reader, answers = AxiReader(config=SMALL), [False]
    memory = read_memory(reader.axi, content(), answer=lambda: answers[0])

    async def bench(ctx):
        await put_all(ctx, reader.i_command, [{"address": 0, "beats": 20}])
        assert not ctx.get(reader.outstanding)
        await ctx.tick().repeat(30)
        assert ctx.get(reader.outstanding)
        answers[0] = True
        while ctx.get(reader.outstanding):
            assert len(memory.arrivals) < 20
            await ctx.tick()
        await ctx.tick()
        assert len(memory.arrivals) == 20
        assert ctx.get(reader.busy)

    simulate(reader, bench, memories=[memory], max_cycles=100)


def test_busy_while_the_memory_is_silent(read_memory, simulate):
    reader = AxiReader(config=SMALL)

    async def bench(ctx):
        assert not ctx.get(reader.busy)
        await put_all(ctx, reader.i_command, [{"address": 0, "beats": 1}])
        for _ in range(50):
            assert ctx.get(reader.busy)
            await ctx.tick()

    memory = read_memory(reader.axi, content(), ask=lambda: False)
    simulate(reader, bench, memories=[memory], max_cycles=100)
    assert memory.requests == []


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"outstanding": 0}, "outstanding must be an integer in 1..256, not 0"),
        ({"buffer_beats": 255}, "buffer_beats must be an integer in 256..65536, not 255"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        ReaderConfig(**fields)
