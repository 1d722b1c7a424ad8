from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.dense import DenseConfig, RowAligner
from tercel_sim.testbench import get_all, put_all, run

CONFIG = DenseConfig(nodes=2, macs=64, vector_beats=4)


def words_of(rows):
    flat = rows.reshape(-1)
    return np.pad(flat, (0, -len(flat) % 64), constant_values=99).reshape(-1, 64).tolist()


def beats_of(rows):
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 64)))
    return padded.reshape(-1, 64).tolist()


def command_of(rows):
    return {"axpy": 0, "elements": rows.shape[1], "turns": 1, "rows": rows.shape[0]}


def align(walks, idle, back_pressure):
    aligner = RowAligner(CONFIG)
    expected = list(chain.from_iterable(map(beats_of, walks)))

    async def commands(ctx):
        await put_all(ctx, aligner.i_command, map(command_of, walks))

    async def words(ctx):
        await put_all(ctx, aligner.i, chain.from_iterable(map(words_of, walks)), idle)

    async def beats(ctx):
        return await get_all(ctx, aligner.o, len(expected), back_pressure)

    taken = run(aligner, commands, words, beats, max_cycles=2000)[2]
    return [list(beat) for beat in taken], expected


def test_rows_start_on_beats(idle, back_pressure):
    rng = np.random.default_rng(4)
    shapes = [(5, 96), (3, 16), (1, 96), (4, 128), (7, 48), (2, 64), (6, 80)]
    walks = [rng.integers(-127, 128, shape).astype(np.int8) for shape in shapes]
    taken, expected = align(walks, idle, back_pressure)
    assert taken == expected


@pytest.mark.parametrize("elements", [64, 96, 128])
def test_a_beat_a_cycle(elements):
    aligner, rows = RowAligner(CONFIG), np.ones((12, elements), np.int8)

    async def source(ctx):
        await put_all(ctx, aligner.i_command, [command_of(rows)])
        await put_all(ctx, aligner.i, words_of(rows))

    async def sink(ctx):
        ctx.set(aligner.o.ready, 1)
        await ctx.tick().until(aligner.i.valid & aligner.i.ready)
        for _ in range(len(beats_of(rows))):
            assert ctx.get(aligner.o.valid)
            await ctx.tick()
        assert not ctx.get(aligner.o.valid)

    run(aligner, source, sink, max_cycles=200)


def test_it_converts():
    assert "module" in rtlil.convert(RowAligner(DenseConfig()))
