import random

import pytest

from tercel_hw.memory import FifoConfig, StreamFifo
from tercel_sim.testbench import get_all, put_all, run

SHAPES = [
    FifoConfig(width=16, depth=8),
    FifoConfig(width=16, depth=5, read_latency=2),
    FifoConfig(width=16, depth=12, read_latency=3, ram_style="ultra"),
    FifoConfig(width=16, depth=2, read_latency=1, ram_style="distributed"),
    FifoConfig(width=16, depth=5, read_latency=0, ram_style="distributed"),
]


def numbers(count, seed=7):
    generator = random.Random(seed)
    return [generator.randrange(1 << 16) for _ in range(count)]


@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.depth}x{c.read_latency}")
def test_words_leave_in_order(config, idle, back_pressure):
    fifo, words = StreamFifo(config=config), numbers(120)

    async def source(ctx):
        await put_all(ctx, fifo.i, words, idle)

    async def sink(ctx):
        return await get_all(ctx, fifo.o, len(words), back_pressure)

    assert run(fifo, source, sink, max_cycles=4000)[1] == words


@pytest.mark.parametrize("read_latency", [0, 1, 2, 3, 4, 5, 6])
def test_latency_and_one_word_a_cycle(read_latency):
    style = None if read_latency else "distributed"
    config = FifoConfig(width=16, depth=16, read_latency=read_latency, ram_style=style)
    fifo, words = StreamFifo(config=config), numbers(100)

    async def source(ctx):
        ctx.set(fifo.i.valid, 1)
        for word in words:
            ctx.set(fifo.i.payload, word)
            assert ctx.get(fifo.i.ready)
            await ctx.tick()
        ctx.set(fifo.i.valid, 0)

    async def sink(ctx):
        ctx.set(fifo.o.ready, 1)
        await ctx.tick().repeat(config.latency)
        for word in words:
            _, _, valid, payload = await ctx.tick().sample(fifo.o.valid, fifo.o.payload)
            assert (valid, payload) == (1, word)

    run(fifo, source, sink, max_cycles=200)


@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.depth}x{c.read_latency}")
def test_it_holds_its_capacity(config):
    fifo = StreamFifo(config=config)

    async def bench(ctx):
        ctx.set(fifo.i.valid, 1)
        await ctx.tick().repeat(config.capacity + 20)
        assert ctx.get(fifo.level) == config.capacity
        assert not ctx.get(fifo.i.ready)

    run(fifo, bench, max_cycles=200)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("width", 0, "width must be an integer in 1..65536, not 0"),
        ("depth", 1, "depth must be an integer in 2..16777216, not 1"),
        ("read_latency", -1, "read_latency must be an integer in 0..6, not -1"),
        ("read_latency", 0, "ram_style must be 'distributed' if read_latency is 0, not None"),
        ("ram_style", "uram", "ram_style must be one of None, 'block', .*, not 'uram'"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(ValueError, match=rule):
        FifoConfig(**({"width": 8, "depth": 4} | {field: value}))
