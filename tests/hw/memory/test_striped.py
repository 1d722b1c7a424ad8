import random

import pytest

from tercel_hw.memory import AxiConfig, BurstConfig, ReaderConfig, StripedConfig, StripedReader
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps

READER = ReaderConfig(
    burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12), buffer_beats=48
)
BASES = [0, 1000, 300, 2048]
RUNS = [(0, 5), (100, 0), (40, 40), (3, 1)]


def setup(read_memory, config, latencies, answers):
    reader, generator = StripedReader(config=config), random.Random(3)
    beats = [[generator.getrandbits(32) for _ in range(4096)] for _ in range(config.ports)]
    memories = [
        read_memory(reader.axi[port], beats[port], latency=latency, answer=answer)
        for port, latency, answer in zip(range(config.ports), latencies, answers, strict=True)
    ]
    return reader, beats, memories


def wanted(config, beats, runs):
    return [
        sum(beats[port][BASES[port] + place] << 32 * port for port in range(config.ports))
        for start, count in runs
        for place in range(start, start + count)
    ]


def read(reader, config, runs, count, idle, take):
    async def source(ctx):
        for port in range(config.ports):
            ctx.set(reader.base[port], BASES[port])
        values = [{"address": start, "beats": count} for start, count in runs]
        await put_all(ctx, reader.i_command, values, idle)

    async def sink(ctx):
        taken = await get_all(ctx, reader.o, count, take)
        assert not ctx.get(reader.busy)
        return taken

    return source, sink


@pytest.mark.parametrize("ports", [1, 4])
def test_words_join_the_ports(read_memory, simulate, idle, back_pressure, ports):
    config = StripedConfig(reader=READER, ports=ports)
    skew = [random_gaps(port, 0.5 + port / 10) for port in range(ports)]
    reader, beats, memories = setup(read_memory, config, [9, 1, 30, 4][:ports], skew)
    words = wanted(config, beats, RUNS)
    benches = read(reader, config, RUNS, len(words), idle, back_pressure)
    assert simulate(reader, *benches, memories=memories, max_cycles=3000)[1] == words


def test_a_port_that_takes_requests_late_loses_none(read_memory, simulate):
    config = StripedConfig(reader=READER, ports=2)
    reader, beats, memories = setup(read_memory, config, [1, 1], [every_cycle] * 2)
    memories[1].ask = random_gaps(6, 0.1)
    runs = [(7 * index, 1 + index % 3) for index in range(30)]
    words = wanted(config, beats, runs)
    benches = read(reader, config, runs, len(words), every_cycle, every_cycle)
    assert simulate(reader, *benches, memories=memories, max_cycles=2000)[1] == words


def test_one_word_a_cycle(read_memory, simulate):
    config = StripedConfig(reader=READER, ports=2)
    reader, beats, memories = setup(read_memory, config, [10, 18], [every_cycle] * 2)
    runs = [(0, 100), (300, 150)]
    words = wanted(config, beats, runs)
    benches = read(reader, config, runs, len(words), every_cycle, every_cycle)
    assert simulate(reader, *benches, memories=memories, max_cycles=700)[1] == words
    assert memories[1].arrivals[-1] - memories[1].arrivals[0] == 249
    assert memories[0].requests[0][0] == reader.LATENCY


def test_errors_name_their_port(read_memory, simulate):
    config = StripedConfig(reader=READER, ports=4)
    reader, _, memories = setup(read_memory, config, [1] * 4, [every_cycle] * 4)
    memories[2].errors = {BASES[2] + 1: 3}
    source, _ = read(reader, config, [(0, 4)], 4, every_cycle, every_cycle)

    async def bench(ctx):
        await source(ctx)
        await get_all(ctx, reader.o, 4)
        assert [ctx.get(reader.errors[port]) for port in range(4)] == [0, 0, 3, 0]
        ctx.set(reader.clear, 1)
        await ctx.tick()
        assert ctx.get(reader.errors.as_value()) == 0

    simulate(reader, bench, memories=memories, max_cycles=200)


def test_a_broken_field_is_named():
    with pytest.raises(ValueError, match=r"ports must be an integer in 1\.\.16, not 0"):
        StripedConfig(ports=0)
