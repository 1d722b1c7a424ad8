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


JOINED = {
    "kv260": (GearboxConfig(max_bytes=82), [(82, 9, 1), (28, 9, 0), (82, 3, 1), (55, 3, 1)] * 2),
    "small": (
        GearboxConfig(word_bytes=8, max_bytes=16),
        [(16, 3, 1), (5, 4, 1), (3, 1, 1), (8, 2, 0), (7, 1, 1), (1, 1, 0), (9, 5, 1), (2, 2, 1)],
    ),
}
"""Segments with a flag of whether the next one continues them."""


def joined_tape(config, segments, seed=1):
    """The words of segments that may continue, and the row-chunks that they hold."""
    generator = np.random.default_rng(seed)
    content, chunks = b"", []
    for chunk_bytes, count, continues in segments:
        for index in range(count):
            row = generator.integers(0, 256, chunk_bytes, dtype=np.uint8).tobytes()
            chunks.append((row, index == count - 1))
            content += row
        if not continues:
            content += bytes(-len(content) % config.word_bytes)
    content += bytes(-len(content) % config.word_bytes)
    size = config.word_bytes
    words = [
        int.from_bytes(content[start : start + size], "little")
        for start in range(0, len(content), size)
    ]
    return words, chunks


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
        values = [
            {"bytes": size, "chunks": count, "continues": any(continues)}
            for size, count, *continues in segments
        ]
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


@pytest.mark.parametrize("shape", JOINED)
def test_segments_that_continue(shape, idle, back_pressure):
    config, segments = JOINED[shape]
    gearbox = Gearbox(config=config)
    words, chunks = joined_tape(config, segments)
    taken = run(
        gearbox, *benches(gearbox, segments, words, chunks, idle, back_pressure), max_cycles=1000
    )[2]
    assert_equal(taken, chunks)


def test_a_word_a_cycle_from_a_segment_to_the_one_that_continues_it():
    config = GearboxConfig(max_bytes=82)
    segments = [(82, 32, 1), (82, 32, 1), (70, 20, 0)]
    gearbox = Gearbox(config=config)
    words, chunks = joined_tape(config, segments)

    async def clock(ctx):
        cycles = []
        for cycle in range(50 + len(words)):
            *_, valid, ready = await ctx.tick().sample(gearbox.o.valid, gearbox.o.ready)
            if valid and ready:
                cycles.append(cycle)
        return cycles

    *_, taken, cycles = run(
        gearbox, *benches(gearbox, segments, words, chunks), clock, max_cycles=1000
    )
    assert_equal(taken, chunks)
    assert cycles[-1] == config.latency + len(words) - 1


def test_what_is_not_taken_ends_in_the_queue():
    """The words that are taken ahead are those that the cycle model counts."""
    config = GearboxConfig(max_bytes=64)
    gearbox = Gearbox(config=config)

    async def give(ctx):
        ctx.set(gearbox.i_segment.payload, {"bytes": 64, "chunks": 100, "continues": 0})
        ctx.set(gearbox.i_segment.valid, 1)
        ctx.set(gearbox.i.valid, 1)
        taken = 0
        for _ in range(40):
            *_, ready = await ctx.tick().sample(gearbox.i.ready)
            taken += ready
        assert taken == config.words_ahead(64)

    run(gearbox, give, max_cycles=64)


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
        ({"queue_chunks": 4}, "queue_chunks must be an integer in 5..32, not 4"),
    ],
)
def test_a_broken_field_is_named(fields, rule):
    with pytest.raises(ValueError, match=rule):
        GearboxConfig(**fields)
