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


@pytest.mark.parametrize("word_bytes", [16, 64])
def test_weight_scales_and_gains(word_bytes, idle, back_pressure):
    config = VectorConfig(nodes=1, columns=64, hidden=64, head_size=16, word_bytes=word_bytes)
    reader = GainReader(config)
    generator = np.random.default_rng(1)
    commands, words, weights, gains = [], [], [], []
    for width, normed, target in ((21, 1, 0), (16, 0, 0), (48, 1, 1), (1, 1, 0)):
        floats = generator.integers(0, 1 << 32, 16 + normed * width, np.uint32)
        segment = words_of(floats, word_bytes)
        commands.append(
            {**FIELDS, "width": width, "normed": normed, "target": target, "words": len(segment)}
        )
        words += segment
        gains += floats[16:].tolist()
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

    results = run(reader, command, give, take_weights, take_gains, max_cycles=2000)
    assert results[2:] == [weights, gains]


def test_a_gain_a_cycle():
    config = VectorConfig(nodes=1, columns=64, hidden=64, head_size=16, word_bytes=16)
    reader = GainReader(config)

    async def bench(ctx):
        command = {**FIELDS, "width": 40, "normed": 1, "target": 1, "words": 14}
        ctx.set(reader.i_command.payload, command)
        ctx.set(reader.i_command.valid, 1)
        ctx.set(reader.i.valid, 1)
        ctx.set(reader.o_gain.ready, 1)
        valid = []
        for _ in range(60):
            valid.append(ctx.get(reader.o_gain.valid))
            await ctx.tick()
        first = valid.index(1)
        assert valid[first : first + 40] == [1] * 40
        return first

    # A cycle for the command, one for the word, 16 for the scales.
    assert run(reader, bench, max_cycles=100) == [18]
