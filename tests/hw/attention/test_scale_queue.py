import numpy as np

from tercel_hw.attention import ScaleQueue
from tercel_sim.testbench import get_all, put_all, run


def words_of(scales, word_positions):
    """Words of ``[positions, 2]`` scales; what is missing in the last is full of ones."""
    missing = -len(scales) % word_positions
    padded = np.pad(scales, ((0, missing), (0, 0)), constant_values=0xFFFF)
    return [
        int.from_bytes(word.astype("<u2").tobytes(), "little")
        for word in padded.reshape(-1, 2 * word_positions)
    ]


def test_positions_of_several_heads(idle, back_pressure, unit_shape_of):
    config, rng = unit_shape_of(), np.random.default_rng(1)
    dut = ScaleQueue(config)
    heads = rng.integers(0, 1 << 16, (3, 11, 2))

    async def source(ctx):
        ctx.set(dut.positions, 11)
        for head in heads:
            await put_all(ctx, dut.i, words_of(head, config.word_positions), idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, 33, back_pressure)
        return [(payload.key, payload.value) for payload in taken]

    taken = run(dut, source, sink, max_cycles=400)[1]
    assert taken == [tuple(pair) for pair in heads.reshape(-1, 2).tolist()]


def test_it_keeps_two_tiles_and_gives_a_position_a_cycle(unit_shape_of):
    config = unit_shape_of(tile=8)
    dut = ScaleQueue(config)

    async def bench(ctx):
        ctx.set(dut.positions, 16)
        await put_all(ctx, dut.i, [1])
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid)
        await put_all(ctx, dut.i, [2, 3, 4])
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.o.ready, 1)
        keys = []
        for _ in range(16):
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            assert valid
            keys.append(payload.key)
        assert not ctx.get(dut.o.valid)
        return keys

    keys = run(dut, bench, max_cycles=100)[0]
    assert keys == [key for word in (1, 2, 3, 4) for key in (word, 0, 0, 0)]
