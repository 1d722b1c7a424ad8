"""Matrices in blocks and without, from words to row-chunks and scales."""

import numpy as np
import pytest

from tercel_hw.memory import BlockConfig, GearboxConfig, TapeCutter
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

SMALL = BlockConfig(gearbox=GearboxConfig(word_bytes=8, max_bytes=14), block_rows=6)
LARGE = BlockConfig(gearbox=GearboxConfig(max_bytes=82), block_rows=32)
MATRICES = {
    "small": (SMALL, [(13, 3, 14, 5), (7, 1, 9, 9), None, (1, 2, 8, 1), (6, 2, 3, 2)]),
    "large": (LARGE, [(70, 2, 82, 28), None, (16, 3, 82, 55), (5, 1, 28, 28)]),
}
"""Rows, row-chunks of a row, bytes, bytes of the last one; or a matrix without blocks."""
PLAIN = (11, 7)
"""Its row-chunks and their bytes."""


def tape(config, matrices, seed=1):
    """Commands, words, row-chunks and scales."""
    generator = np.random.default_rng(seed)
    size = config.gearbox.word_bytes
    commands, content, chunks, scales = [], b"", [], []

    def pad():
        return bytes(-len(content) % size)

    def add(length):
        nonlocal content
        chunks.append(generator.integers(0, 256, length, dtype=np.uint8).tobytes())
        content += chunks[-1]

    for matrix in matrices:
        if matrix is None:
            count, length = PLAIN
            fields = {"blocks": 0, "rows": 3, "chunks": count, "bytes": length, "last_bytes": 1}
            commands.append(fields)
            for _ in range(count):
                add(length)
            content += pad()
            continue
        rows, count, length, last = matrix
        commands.append(
            {"blocks": 1, "rows": rows, "chunks": count, "bytes": length, "last_bytes": last}
        )
        for start in range(0, rows, config.block_rows):
            some = generator.integers(0, 1 << 32, min(config.block_rows, rows - start), np.uint32)
            scales += some.tolist()
            content += some.tobytes()
            content += pad()
            for chunk in range(count):
                for _ in some:
                    add(last if chunk == count - 1 else length)
            content += pad()
    words = [
        int.from_bytes(content[start : start + size], "little")
        for start in range(0, len(content), size)
    ]
    return commands, words, chunks, scales


def play(config, matrices, patterns=(every_cycle,) * 4, max_cycles=3000):
    dut = TapeCutter(config=config)
    commands, words, chunks, scales = tape(config, matrices)
    on_command, on_words, on_chunks, on_scales = patterns

    async def give_commands(ctx):
        await put_all(ctx, dut.i_matrix, commands, on_command)

    async def give_words(ctx):
        await put_all(ctx, dut.i, words, on_words)

    async def take_chunks(ctx):
        taken = await get_all(ctx, dut.o, len(chunks), on_chunks)
        return [chunk.to_bytes(config.gearbox.max_bytes, "little") for chunk in taken]

    async def take_scales(ctx):
        return await get_all(ctx, dut.o_scales, len(scales), on_scales)

    async def watch(ctx):
        for cycle in range(max_cycles):
            *_, valid, ready = await ctx.tick().sample(dut.o.valid, dut.o.ready)
            ends.extend([cycle] * (valid & ready))
            if len(ends) == len(chunks):
                return

    ends = []
    *_, taken, found, _ = run(
        dut, give_commands, give_words, take_chunks, take_scales, watch, max_cycles=max_cycles
    )
    assert [data[: len(chunk)] for data, chunk in zip(taken, chunks, strict=True)] == chunks
    assert found == scales
    return ends[-1], words


@pytest.mark.parametrize("waits", [(0, 0, 0, 0), (1, 1, 0, 0), (0, 0, 1, 1)], ids=str)
@pytest.mark.parametrize("name", MATRICES)
def test_row_chunks_and_scales(name, waits):
    patterns = [random_gaps(i, 0.5) if wait else every_cycle for i, wait in enumerate(waits)]
    play(*MATRICES[name], patterns)


def test_scales_cost_their_words_alone():
    """Row-chunks of more than a word: every word of the tape is taken in its own cycle."""
    last, words = play(LARGE, [(96, 3, 82, 70)])
    assert last == LARGE.gearbox.latency + len(words) - 1  # Completed by the last word.


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"block_rows": 0}, "block_rows must be an integer in 1..65536, not 0"),
        ({"chunk_bits": 0}, "chunk_bits must be an integer in 1..24, not 0"),
        (
            {"gearbox": GearboxConfig(max_bytes=63)},
            "max_bytes must be an integer in 64..65536, not 63",
        ),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        BlockConfig(**{"gearbox": GearboxConfig(), **fields})
