import itertools
import random

import pytest

from tercel_hw.memory import (
    AxiConfig,
    BurstConfig,
    StripedWriter,
    StripedWriterConfig,
    WriterConfig,
)
from tercel_sim.testbench import every_cycle, put_all, random_gaps

WRITER = WriterConfig(
    burst=BurstConfig(axi=AxiConfig(data_width=32), max_beats=16, count_width=12),
    outstanding=4,
    buffer_beats=32,
    strobes=True,
)
BASES = [0, 1000, 300, 2048]
RUNS = [(0, 5), (31, 3), (102, 70), (7, 0), (1021, 90), (12, 1), (13, 1), (15, 1), (18, 2)]


def content(runs, seed=5):
    """Granules with strobes for the runs."""
    generator = random.Random(seed)
    return [
        {"data": generator.getrandbits(32), "strobe": generator.choice((15, 15, 3, 12, 0))}
        for _ in range(sum(count for _, count in runs))
    ]


def placed(ports, runs, granules):
    """Expected beats of each port by address; bytes not written are those of ``old``."""
    held = [{} for _ in range(ports)]
    places = [start + index for start, count in runs for index in range(count)]
    for place, granule in zip(places, granules, strict=True):
        port, beat = place % ports, BASES[place % ports] + place // ports
        mask = sum(255 << 8 * byte for byte in range(4) if granule["strobe"] >> byte & 1)
        held[port][beat] = old(port, beat) & ~mask | granule["data"] & mask
    return held


def old(port, beat):
    return (port * 7919 + beat * 104729) & 0xFFFFFFFF


def memories(write_memory, writer, places, **options):
    """Memories that hold ``old`` where something is written."""
    made = []
    for port, axi in enumerate(writer.axi):
        memory = write_memory(axi, strobes=True, **options)
        memory.written = {beat: old(port, beat) for beat in places[port]}
        made.append(memory)
    return made


def write(writer, runs, granules, idle=every_cycle):
    async def commands(ctx):
        for port in range(writer.config.ports):
            ctx.set(writer.base[port], BASES[port])
        values = [{"granule": start, "granules": count} for start, count in runs]
        await put_all(ctx, writer.i_command, values, idle)
        while ctx.get(writer.busy):
            await ctx.tick()
        assert not ctx.get(writer.outstanding)

    async def source(ctx):
        await put_all(ctx, writer.i, granules, idle)

    return commands, source


@pytest.mark.parametrize("ports", [1, 2, 4])
def test_granules_reach_their_ports(write_memory, simulate, idle, back_pressure, ports):
    writer = StripedWriter(config=StripedWriterConfig(writer=WRITER, ports=ports))
    granules = content(RUNS)
    places = placed(ports, RUNS, granules)
    served = memories(write_memory, writer, places, latency=9, take=back_pressure)
    served[-1].ask = random_gaps(4, 0.2)
    simulate(writer, *write(writer, RUNS, granules, idle), memories=served, max_cycles=3000)
    assert [memory.written for memory in served] == places


def test_a_granule_a_cycle_and_when_bursts_are_announced(write_memory, simulate):
    """On one port, where every granule is a beat: a burst starts when its last granule is there."""
    writer = StripedWriter(config=StripedWriterConfig(writer=WRITER, ports=1))
    runs, taken = [(0, 40), (64, 32), (128, 1)], []
    granules = content(runs)
    places = placed(1, runs, granules)
    served = memories(write_memory, writer, places, latency=3)

    async def watch(ctx):
        while len(taken) < len(granules):
            valid, ready = (await ctx.tick().sample(writer.i.valid, writer.i.ready))[-2:]
            cycles[0] += 1
            if valid and ready:
                taken.append(cycles[0] - 1)

    cycles = [0]
    benches = write(writer, runs, granules)
    simulate(writer, *benches, watch, memories=served, max_cycles=300)
    assert served[0].written == places[0]
    gaps = [after - before for before, after in itertools.pairwise(taken)]
    ends = {39: writer.GAP, 71: writer.GAP}
    assert gaps == [1 + ends.get(index, 0) for index in range(len(gaps))]
    announced = [cycle for cycle, *_ in served[0].requests]
    assert announced[:2] == [taken[15] + writer.DATA_LATENCY, taken[31] + writer.DATA_LATENCY]
    assert announced[-1] == taken[-1] - 1 + writer.LATENCY


def test_all_ports_are_fed_at_once(write_memory, simulate):
    writer = StripedWriter(config=StripedWriterConfig(writer=WRITER, ports=4))
    runs = [(2, 400)]
    granules = content(runs)
    places = placed(4, runs, granules)
    served = memories(write_memory, writer, places, latency=5)
    simulate(writer, *write(writer, runs, granules), memories=served, max_cycles=460)
    assert [memory.written for memory in served] == places


def test_busy_until_the_slowest_port_has_confirmed(write_memory, simulate):
    writer = StripedWriter(config=StripedWriterConfig(writer=WRITER, ports=2))
    granules = content([(0, 2)])
    served = memories(write_memory, writer, placed(2, [(0, 2)], granules))
    served[1].latency = 60
    held = []

    async def bench(ctx):
        assert not ctx.get(writer.busy)
        await put_all(ctx, writer.i_command, [{"granule": 0, "granules": 2}])
        assert ctx.get(writer.busy)
        assert not ctx.get(writer.outstanding)
        await put_all(ctx, writer.i, granules)
        while ctx.get(writer.busy):
            held.append(ctx.get(writer.outstanding))
            await ctx.tick()
        assert not ctx.get(writer.outstanding)

    simulate(writer, bench, memories=served, max_cycles=200)
    assert sum(held) > 60
    assert served[1].written


def test_errors_name_their_port(write_memory, simulate):
    writer = StripedWriter(config=StripedWriterConfig(writer=WRITER, ports=4))
    runs = [(0, 8)]
    granules = content(runs)
    served = memories(write_memory, writer, placed(4, runs, granules))
    served[2].errors = {BASES[2]: 3}
    commands, source = write(writer, runs, granules)

    async def bench(ctx):
        await commands(ctx)
        assert [ctx.get(writer.errors[port]) for port in range(4)] == [0, 0, 3, 0]
        ctx.set(writer.clear, 1)
        await ctx.tick()
        assert ctx.get(writer.errors.as_value()) == 0

    simulate(writer, bench, source, memories=served, max_cycles=200)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"ports": 3}, r"ports must be a power of two in 1\.\.16, not 3"),
        ({"writer": WriterConfig()}, "writer must have strobes"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        StripedWriterConfig(**fields)
