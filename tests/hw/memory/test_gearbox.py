import numpy as np
import pytest

from tercel_hw.memory import Gearbox, GearboxConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

SHAPES = {
    "kv260": (GearboxConfig(), [(77, 9), (64, 5), (1, 70), (80, 8), (72, 1), (13, 0), (33, 11)]),
    "small": (
        GearboxConfig(word_bytes=8, max_bytes=16),
        [(16, 5), (15, 8), (9, 13), (8, 4), (5, 7), (1, 9), (3, 1), (16, 1)],
    ),
    "tiny": (GearboxConfig(word_bytes=4, max_bytes=3), [(3, 9), (2, 5), (1, 6), (3, 4)]),
}


def tape(config, segments, seed=1):
    """The words of the segments and the row-chunks that they hold."""
    generator = np.random.default_rng(seed)
    words, chunks = [], []
    for chunk_bytes, count in segments:
        size = (config.words(chunk_bytes, count), config.word_bytes)
        segment = generator.integers(0, 256, size, dtype=np.uint8)
        cut = config.cut(segment, chunk_bytes, count)
        words += [int.from_bytes(word.tobytes(), "little") for word in segment]
        chunks += [(row.tobytes(), index == count - 1) for index, row in enumerate(cut)]
    return words, chunks


def benches(gearbox, segments, words, chunks, idle=every_cycle, take=every_cycle):
    async def commands(ctx):
        values = [{"bytes": size, "chunks": count} for size, count in segments]
        await put_all(ctx, gearbox.i_segment, values)

    async def source(ctx):
        await put_all(ctx, gearbox.i, words, idle)

    async def sink(ctx):
        taken = await get_all(ctx, gearbox.o, len(chunks), take)
        size = gearbox.config.max_bytes
        return [(chunk.data.to_bytes(size, "little"), chunk.last) for chunk in taken]

    return commands, source, sink


def assert_equal(taken, chunks):
    pairs = zip(taken, chunks, strict=True)
    assert [(data[: len(row)], last) for (data, last), (row, _) in pairs] == chunks


@pytest.mark.parametrize("shape", SHAPES)
def test_row_chunks_equal_the_model(shape, idle, back_pressure):
    config, segments = SHAPES[shape]
    gearbox = Gearbox(config=config)
    words, chunks = tape(config, segments)
    taken = run(
        gearbox, *benches(gearbox, segments, words, chunks, idle, back_pressure), max_cycles=2000
    )[2]
    assert_equal(taken, chunks)


@pytest.mark.parametrize("chunk_bytes", [80, 77, 65, 64, 63, 40, 1])
def test_a_row_chunk_or_a_word_a_cycle(chunk_bytes):
    """Two segments without a bubble between: cycles are row-chunks or words, whichever are more."""
    config = GearboxConfig()
    segments = [(chunk_bytes, 64), (chunk_bytes, 96)]
    gearbox = Gearbox(config=config)
    words, chunks = tape(config, segments)

    async def clock(ctx):
        cycles = []
        for cycle in range(100 + len(words) + len(chunks)):
            *_, valid, ready = await ctx.tick().sample(gearbox.o.valid, gearbox.o.ready)
            if valid and ready:
                cycles.append(cycle)
        return cycles

    *_, taken, cycles = run(
        gearbox, *benches(gearbox, segments, words, chunks), clock, max_cycles=2000
    )
    assert_equal(taken, chunks)
    first_words = -(-chunk_bytes // config.word_bytes)
    assert cycles[0] == config.latency + first_words - 1
    if chunk_bytes <= config.word_bytes:
        assert cycles[-1] - cycles[0] == len(chunks) - 1
    else:
        assert cycles[-1] - cycles[0] == len(words) - first_words


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"word_bytes": 48}, "word_bytes must be a power of two in 4..1024, not 48"),
        ({"max_bytes": 129}, "max_bytes must be an integer in 1..128, not 129"),
        ({"count_width": 41}, "count_width must be an integer in 1..40, not 41"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        GearboxConfig(**fields)
