import numpy as np
import pytest

from tercel_hw.top.gain_reader import GainReader
from tercel_hw.vector import VectorConfig
from tercel_sim.testbench import get_all, put_all, run

FIELDS = {"source": 0, "inverse_width": 0, "epsilon": 0, "address": 0}


def words_of(floats: np.ndarray, width: int) -> list[int]:
    padded = np.zeros(-(-len(floats) * 4 // width) * width // 4, np.uint32)
    padded[: len(floats)] = floats
    return [int.from_bytes(word.tobytes(), "little") for word in padded.reshape(-1, width // 4)]


def config_of(word_bytes, qk_norm=False):
    shape = {"nodes": 1, "columns": 64, "hidden": 64, "head_size": 16}
    return VectorConfig(**shape, word_bytes=word_bytes, qk_norm=qk_norm)


SEGMENTS = ((21, 1, 0, 0), (16, 0, 0, 0), (48, 1, 1, 0), (1, 1, 0, 0))
NORMED_HEADS = ((21, 1, 0, 32), (16, 0, 0, 0), (48, 1, 1, 0), (16, 0, 0, 15), (32, 1, 0, 512))
"""Width, normed, target, and gains of heads of each command."""


@pytest.mark.parametrize(
    ("word_bytes", "segments"), [(16, SEGMENTS), (64, SEGMENTS), (16, NORMED_HEADS)]
)
def test_weight_scales_and_gains(word_bytes, segments, idle, back_pressure):
    reader = GainReader(config_of(word_bytes, segments is NORMED_HEADS))
    generator = np.random.default_rng(1)
    commands, words, weights, gains, head_gains = [], [], [], [], []
    for width, normed, target, heads in segments:
        row = 16 + normed * width
        floats = generator.integers(0, 1 << 32, row + heads, np.uint32)
        segment = words_of(floats, word_bytes)
        command = {"width": width, "normed": normed, "target": target, "words": len(segment)}
        commands.append({**FIELDS, **command, "head_gains": heads})
        words += segment
        gains += floats[16:row].tolist()
        head_gains += floats[row:].tolist()
        if target == 0:
            weights.append(floats[:16].tolist())

    async def command(ctx):
        await put_all(ctx, reader.i_command, commands, idle)

    async def give(ctx):
        await put_all(ctx, reader.i, words, idle)

    async def take_weights(ctx):
        taken = await get_all(ctx, reader.o_weights, len(weights), back_pressure)
        return [[item[index] for index in range(16)] for item in taken]

    async def take_gains(ctx):
        return await get_all(ctx, reader.o_gain, len(gains), back_pressure)

    async def take_head_gains(ctx):
        return await get_all(ctx, reader.o_head_gain, len(head_gains), back_pressure)

    takers = [take_weights, take_gains, *([take_head_gains] if head_gains else [])]
    results = run(reader, command, give, *takers, max_cycles=6000)
    assert results[2:] == [weights, gains, head_gains][: len(takers)]


def test_a_gain_a_cycle():
    reader = GainReader(config_of(16, qk_norm=True))

    async def bench(ctx):
        command = {**FIELDS, "width": 40, "normed": 1, "target": 1, "words": 22, "head_gains": 32}
        ctx.set(reader.i_command.payload, command)
        ctx.set(reader.i_command.valid, 1)
        ctx.set(reader.i.valid, 1)
        ctx.set(reader.o_gain.ready, 1)
        ctx.set(reader.o_head_gain.ready, 1)
        gains, head_gains = [], []
        for _ in range(reader.LATENCY + 74):
            gains.append(ctx.get(reader.o_gain.valid))
            head_gains.append(ctx.get(reader.o_head_gain.valid))
            await ctx.tick()
        # A cycle for the command and the word, 16 for the scales, one for the queue.
        assert reader.LATENCY == 18
        assert gains == [0] * 18 + [1] * 40 + [0] * 34
        assert head_gains == [0] * 58 + [1] * 32 + [0] * 2

    run(reader, bench, max_cycles=200)


def test_no_ready_depends_on_a_ready_or_a_valid_of_the_same_cycle():
    reader = GainReader(config_of(16))

    async def bench(ctx):
        command = {**FIELDS, "width": 40, "normed": 1, "target": 1, "words": 14}
        ctx.set(reader.i_command.payload, command)
        ctx.set(reader.i_command.valid, 1)
        seen = set()
        for cycle in range(80):
            ctx.set(reader.o_gain.ready, 0)
            ctx.set(reader.i.valid, 0)
            state = ctx.get(reader.i.ready), ctx.get(reader.o_gain.valid)
            ctx.set(reader.o_gain.ready, 1)
            ctx.set(reader.i.valid, 1)
            assert state == (ctx.get(reader.i.ready), ctx.get(reader.o_gain.valid))
            seen.add(state)
            ctx.set(reader.o_gain.ready, cycle % 3 == 0)
            await ctx.tick()
        assert len(seen) == 4

    run(reader, bench, max_cycles=100)


def test_two_words_wait_for_their_command():
    reader = GainReader(config_of(64))

    async def bench(ctx):
        ctx.set(reader.i.valid, 1)
        ready = []
        for _ in range(3):
            ready.append(ctx.get(reader.i.ready))
            await ctx.tick()
        return ready

    assert run(reader, bench, max_cycles=40) == [[1, 1, 0]]
