import numpy as np
import pytest

from tercel_hw.dense import DenseConfig
from tercel_hw.head import HeadConfig, HeadUnitConfig
from tercel_hw.head.list_reader import ListReader
from tercel_sim.testbench import get_all, put_all, run

GROUPS = [(16, 2), (3, 16), (1, 40), (5, 17), (16, 33)]
"""Rows and slices of each."""
TILE = 16


def shape(macs):
    dense = DenseConfig(nodes=2, macs=macs, chain=8, slices=40, rows=64)
    head = HeadConfig(nodes=2, rows=64, ternary_rows=2, shortlist=32, sum_bits=dense.sum_bits)
    return HeadUnitConfig(head=head, dense=dense)


def draw(config, groups):
    """Words as they come, places, beats in the engine's order, and scales."""
    rng = np.random.default_rng(4)
    words, places, beats, scales = [], [], [], []
    for rows, slices in groups:
        tape = [[rng.bytes(config.dense.macs) for _ in range(slices)] for _ in range(rows)]
        mine = rng.integers(0, 16, rows).tolist()
        numbers = rng.integers(0, 1 << 32, (rows, config.word_scales), np.uint32)
        for first in range(0, slices, TILE):
            for row in range(rows):
                words += [numbers[row].tobytes()] * (first == 0) + tape[row][first : first + TILE]
        beats += [tape[row][slice_] for slice_ in range(slices) for row in range(rows)]
        places += mine
        scales += [int(numbers[row, mine[row] % config.word_scales]) for row in range(rows)]
    return [int.from_bytes(word, "little") for word in words], places, beats, scales


@pytest.mark.parametrize("macs", [16, 64])
def test_rows_come_slice_by_slice(macs, idle, back_pressure):
    dut = ListReader(config := shape(macs))
    words, places, beats, scales = draw(config, GROUPS)

    async def control(ctx):
        commands = [{"rows": rows, "slices": slices} for rows, slices in GROUPS]
        await put_all(ctx, dut.i_command, commands)

    async def source(ctx):
        await put_all(ctx, dut.i, words, idle)

    async def numbers(ctx):
        await put_all(ctx, dut.i_place, places, idle)

    async def rows(ctx):
        taken = await get_all(ctx, dut.o_row, len(beats), back_pressure)
        return [bytes(byte & 255 for byte in beat) for beat in taken]

    async def row_scales(ctx):
        return await get_all(ctx, dut.o_scale, len(scales), back_pressure)

    results = run(dut, control, source, numbers, rows, row_scales, max_cycles=9000)
    assert results[3] == beats
    assert results[4] == scales


def test_a_word_a_cycle_in_and_out_and_a_tile_of_latency():
    dut = ListReader(config := shape(16))
    groups = [(16, 40), (16, 40)]
    words, places, beats, _ = draw(config, groups)

    async def control(ctx):
        await put_all(ctx, dut.i_command, [{"rows": 16, "slices": 40}] * 2)

    async def numbers(ctx):
        ctx.set(dut.o_scale.ready, 1)
        await put_all(ctx, dut.i_place, places)

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        taken, cycle = [], 0
        while len(taken) < len(words):
            ctx.set(dut.i.payload, words[len(taken)])
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken += [cycle] * ready
            cycle += 1
        ctx.set(dut.i.valid, 0)
        return taken

    async def sink(ctx):
        ctx.set(dut.o_row.ready, 1)
        offered, cycle = [], 0
        while len(offered) < len(beats):
            _, _, valid = await ctx.tick().sample(dut.o_row.valid)
            offered += [cycle] * valid
            cycle += 1
        return offered

    *_, taken, offered = run(dut, control, numbers, source, sink, max_cycles=3000)
    # The third tile waits for the bank of the first.
    first, two_tiles = taken[0], 16 * 33
    assert taken[:two_tiles] == list(range(first, first + two_tiles))
    assert first + two_tiles <= taken[two_tiles] <= first + two_tiles + 4
    of_group, expected = len(words) // 2, []
    for last in (16 * 17 - 1, 16 * 33 - 1, of_group - 1):
        begins = taken[last] + dut.LATENCY
        begins = max(begins, expected[-1] + 1) if expected else begins
        expected += range(begins, begins + (128 if last == of_group - 1 else 256))
    assert offered[: len(expected)] == expected
