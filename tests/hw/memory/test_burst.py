import random

import pytest

from tercel_hw.memory import AxiConfig, BurstConfig, BurstSplitter, bursts
from tercel_sim.testbench import get_all, put_all, run

SHAPES = [
    BurstConfig(),
    BurstConfig(axi=AxiConfig(address_width=32, data_width=32), max_beats=16, count_width=12),
    BurstConfig(axi=AxiConfig(address_width=36, data_width=1024), max_beats=32, count_width=12),
]
NAMES = ["128 bit", "32 bit", "1024 bit"]


def runs(config, count, seed):
    generator = random.Random(seed)
    drawn = [(0, 0), (config.max_beats - 1, 2), (0, config.max_beats), (5, 1)]
    while len(drawn) < count:
        start = generator.randrange(1 << config.axi.beat_address_width - 1)
        drawn.append((start, generator.randrange(4 * config.max_beats)))
    return drawn


def expected(config, commands):
    for address, beats in commands:
        cut = bursts(config, address, beats)
        for index, (start, length) in enumerate(cut):
            yield start, length - 1, index == len(cut) - 1


@pytest.mark.parametrize("config", SHAPES, ids=NAMES)
def test_the_model_cuts_without_gaps_at_pages(config):
    for address, beats in runs(config, 200, 1):
        place = address * config.axi.beat_bytes
        for start, length in bursts(config, address, beats):
            assert start == place
            assert 1 <= length <= config.max_beats
            place += length * config.axi.beat_bytes
            assert start // 4096 == (place - 1) // 4096
        assert place == (address + beats) * config.axi.beat_bytes


@pytest.mark.parametrize("config", SHAPES, ids=NAMES)
def test_bursts_equal_the_model(config, idle, back_pressure):
    splitter, commands = BurstSplitter(config=config), runs(config, 20, 2)
    wanted = list(expected(config, commands))

    async def source(ctx):
        values = [{"address": address, "beats": beats} for address, beats in commands]
        await put_all(ctx, splitter.i, values, idle)

    async def sink(ctx):
        taken = await get_all(ctx, splitter.o, len(wanted), back_pressure)
        assert not ctx.get(splitter.busy)
        return [(burst.address, burst.length, burst.last) for burst in taken]

    assert run(splitter, source, sink, max_cycles=2000)[1] == wanted


def test_latency_one_burst_a_cycle_and_a_cycle_between_runs():
    config = BurstConfig(max_beats=16)
    splitter, commands = BurstSplitter(config=config), [(8, 40), (3, 5), (0, 64)]
    wanted = list(expected(config, commands))

    async def source(ctx):
        values = [{"address": address, "beats": beats} for address, beats in commands]
        await put_all(ctx, splitter.i, values)

    async def sink(ctx):
        ctx.set(splitter.o.ready, 1)
        await ctx.tick().repeat(splitter.LATENCY)
        for burst in wanted:
            _, _, valid, payload = await ctx.tick().sample(splitter.o.valid, splitter.o.payload)
            assert (valid, payload.address, payload.length, payload.last) == (1, *burst)
            if payload.last:
                *_, valid = await ctx.tick().sample(splitter.o.valid)
                assert not valid

    run(splitter, source, sink, max_cycles=100)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"max_beats": 24}, "max_beats must be a power of two in 2..256, not 24"),
        (
            {"axi": AxiConfig(data_width=1024), "max_beats": 64},
            "max_beats must be a power of two in 2..32, not 64",
        ),
        ({"count_width": 0}, "count_width must be an integer in 1..40, not 0"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        BurstConfig(**fields)
