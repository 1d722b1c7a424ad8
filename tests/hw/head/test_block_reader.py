import numpy as np
import pytest

from tercel_hw.dense import DenseConfig
from tercel_hw.head import HeadConfig, HeadUnitConfig
from tercel_hw.head.block_reader import BlockReader
from tercel_sim.testbench import get_all, put_all, run

SWEEPS = [(32, 2), (16, 1), (48, 1)]
"""Rows and slices of each."""


def shape(macs):
    dense = DenseConfig(nodes=2, macs=macs, chain=8, slices=2, rows=64)
    head = HeadConfig(nodes=2, rows=64, sum_bits=dense.sum_bits)
    return HeadUnitConfig(head=head, dense=dense)


def tape(config, sweeps):
    """Words, rows' words and scales of random sweeps."""
    rng = np.random.default_rng(2)
    size = config.dense.macs
    words, beats, scales = [], [], []
    for rows, width in sweeps:
        for _ in range(rows // 16):
            head = rng.bytes(64)
            scales += np.frombuffer(head, np.uint32).tolist()
            padded = head.ljust(size, b"\0")
            body = rng.bytes(16 * width * size)
            beats += [body[at : at + size] for at in range(0, len(body), size)]
            words += [padded[at : at + size] for at in range(0, len(padded), size)]
            words += beats[-16 * width :]
    return [int.from_bytes(word, "little") for word in words], beats, scales


def commands(sweeps):
    return [{"rows": rows, "slices": slices} for rows, slices in sweeps]


@pytest.mark.parametrize("macs", [16, 32, 64, 128])
def test_blocks_are_taken_apart(macs, idle, back_pressure):
    dut = BlockReader(config := shape(macs))
    words, beats, scales = tape(config, SWEEPS)

    async def control(ctx):
        await put_all(ctx, dut.i_command, commands(SWEEPS))

    async def source(ctx):
        await put_all(ctx, dut.i, words, idle)

    async def rows(ctx):
        taken = await get_all(ctx, dut.o_row, len(beats), back_pressure)
        return [bytes(byte & 255 for byte in beat) for beat in taken]

    async def row_scales(ctx):
        return await get_all(ctx, dut.o_scale, len(scales), back_pressure)

    results = run(dut, control, source, rows, row_scales, max_cycles=2000)
    assert results[2] == beats
    assert results[3] == scales


def test_words_wait_for_room_for_scales():
    dut = BlockReader(config := shape(16))
    words, _, scales = tape(config, SWEEPS)

    async def control(ctx):
        await put_all(ctx, dut.i_command, commands(SWEEPS))

    async def source(ctx):
        await put_all(ctx, dut.i, words)

    async def rows(ctx):
        ctx.set(dut.o_row.ready, 1)
        await ctx.tick().repeat(len(words) + 9)
        assert not ctx.get(dut.i.ready)
        assert not ctx.get(dut.o_row.valid)
        return await get_all(ctx, dut.o_scale, len(scales))

    assert run(dut, control, source, rows, max_cycles=1000)[2] == scales


@pytest.mark.parametrize("macs", [16, 64])
def test_a_word_passes_as_it_comes_and_a_scale_two_cycles_later(macs):
    dut = BlockReader(config := shape(macs))
    sweep = SWEEPS[2:3]
    words, _, _ = tape(config, sweep)
    block = config.scale_words + 16

    async def bench(ctx):
        await put_all(ctx, dut.i_command, commands(sweep))
        ctx.set(dut.o_row.ready, 1)
        ctx.set(dut.i.valid, 1)
        for index, word in enumerate(words):
            ctx.set(dut.i.payload, word)
            assert ctx.get(dut.i.ready)
            assert ctx.get(dut.o_row.valid) == (index % block >= config.scale_words)
            assert ctx.get(dut.o_scale.valid) == (index > 1)
            await ctx.tick()
        assert ctx.get(dut.i_command.ready)
        assert not ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=200)
