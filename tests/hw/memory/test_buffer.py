import random

import pytest
from amaranth.back import rtlil

from tercel_hw.memory import TapeBuffer, TapeBufferConfig, flat_ports
from tercel_sim.testbench import get_all, put_all, run


def words(count):
    generator = random.Random(11)
    return [generator.getrandbits(64) for _ in range(count)]


@pytest.mark.parametrize("ultra_words", [1, 100], ids=["ultra", "block"])
def test_words_leave_in_order(ultra_words, idle, back_pressure):
    buffer = TapeBuffer(config=TapeBufferConfig(word_bytes=8, words=24, ultra_words=ultra_words))
    sent = words(100)

    async def source(ctx):
        await put_all(ctx, buffer.i, sent, idle)

    async def sink(ctx):
        return await get_all(ctx, buffer.o, len(sent), back_pressure)

    assert run(buffer, source, sink, max_cycles=2000)[1] == sent


def test_prefetch_then_catch_up_at_a_word_a_cycle():
    config = TapeBufferConfig(word_bytes=8, words=64, ultra_words=1)
    buffer, sent = TapeBuffer(config=config), words(300)

    async def source(ctx):
        await put_all(ctx, buffer.i, sent)

    async def sink(ctx):
        await ctx.tick().repeat(100)
        assert ctx.get(buffer.level) == config.fifo.capacity
        assert not ctx.get(buffer.starved)
        ctx.set(buffer.o.ready, 1)
        for word in sent:
            _, _, valid, payload = await ctx.tick().sample(buffer.o.valid, buffer.o.payload)
            assert (valid, payload) == (1, word)
        assert ctx.get(buffer.starved)

    run(buffer, source, sink, max_cycles=600)


@pytest.mark.parametrize("ultra_words", [1, 100], ids=["ultra", "block"])
def test_latency(ultra_words):
    config = TapeBufferConfig(word_bytes=8, words=24, ultra_words=ultra_words)
    buffer = TapeBuffer(config=config)

    async def bench(ctx):
        ctx.set(buffer.o.ready, 1)
        ctx.set(buffer.i.valid, 1)
        await ctx.tick()
        ctx.set(buffer.i.valid, 0)
        cycles = 1
        while not ctx.get(buffer.o.valid):
            await ctx.tick()
            cycles += 1
        return cycles

    assert run(buffer, bench, max_cycles=100) == [config.latency]


def test_blocks_and_attribute():
    config = TapeBufferConfig()
    assert (config.uram_blocks, config.fifo.ram_style) == (56, "ultra")
    small = TapeBufferConfig(words=512)
    assert (small.uram_blocks, small.fifo.ram_style) == (0, "block")
    tiny = TapeBufferConfig(word_bytes=8, words=16, ultra_words=16)
    buffer = TapeBuffer(config=tiny)
    assert 'attribute \\ram_style "ultra"' in rtlil.convert(buffer, ports=flat_ports(buffer))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("word_bytes", 0, "word_bytes must be an integer in 1..1024, not 0"),
        ("words", 1, "words must be an integer in 2..1048576, not 1"),
        ("ultra_words", 0, "ultra_words must be an integer in 1..1048576, not 0"),
    ],
)
def test_a_broken_field_is_named(field, value, rule):
    with pytest.raises(ValueError, match=rule):
        TapeBufferConfig(**{field: value})
