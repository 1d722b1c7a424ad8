import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.numerics import CacheView
from tercel.program import DeviceMemory, StripedMemory, memory_map


@pytest.fixture
def place(image, spec):
    """A memory of noise, its map and the device memory in it."""
    built = spec(image)
    where = memory_map(config=image.config, spec=built, context=19)
    layout = image.layout
    shape = layout.ports, (where.words + 1) * layout.port_bytes
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    memory = StripedMemory(noise, port_bytes=layout.port_bytes)
    return memory, where, DeviceMemory(memory, where)


def test_the_tape_is_the_images(image, place):
    memory, where, placed = place
    after = memory.read(where.tape.end_word, 1)
    placed.load(image)
    for segment in image.segments:
        words = memory.read(segment.first_word, segment.words)
        assert np.array_equal(words.reshape(-1), image.content(segment.name))
    assert np.array_equal(memory.read(where.tape.end_word, 1), after)


def test_programs_and_rows_lie_in_their_areas(image, place):
    memory, where, placed = place
    program = np.arange(5, dtype=np.uint8).repeat(64).reshape(5, 64)
    placed.write_program(program)
    words = memory.read(where.program.first_word, 5 * 64 // image.layout.word_bytes)
    assert words.tobytes() == program.tobytes()
    width = image.config.hidden_size
    rows = np.random.default_rng(1).normal(size=(3, width)).astype(np.float32)
    placed.write_rows(rows)
    for node in range(3):
        first = where.rows.first_word + node * where.given_row_words
        content = memory.read(first, where.given_row_words).reshape(-1)
        assert np.array_equal(content[: 4 * width].view(np.float32), rows[node])


def test_lines_are_read_without_their_padding(place):
    memory, where, placed = place
    size = where.line_bytes
    count = where.layout.words(3 * size)
    content = memory.read(where.summary.first_word, count).reshape(-1)[: 3 * size]
    lines = placed.read_lines(where.summary, 3)
    assert lines.shape == (3, size // 4)
    assert lines.tobytes() == content.tobytes()


@pytest.mark.parametrize("lane", [0, 3, 7])
def test_a_lane_of_lines_is_read_alone(place, lane):
    _, where, placed = place
    lines = placed.read_lines(where.logits, 40)
    assert np.array_equal(placed.read_lane(where.logits, lane, 40), lines[:, lane])
    some = np.array([39, 0, 7], np.int32)
    assert np.array_equal(placed.read_lane(where.logits, lane, some), lines[some, lane])


def positions_at(content, word, size):
    """Bytes ``[19, size]`` from a word on."""
    return content[word:].reshape(-1)[: 19 * size].reshape(19, size)


def blocks(where, content, layer):
    """Views of each KV head's block: slices of keys, slices of values, pairs of scales.

    Each is ``[19, bytes per position]``; a slice comes with its columns.
    """
    size, words, width = where.config.head_size, where.cache_row_words, content.shape[1]
    for head in range(where.config.kv_heads):
        block = where.block(layer, head)

        slices = [(at, min(at + width, size)) for at in range(0, size, width)]
        yield (
            tuple(
                [
                    (
                        positions_at(
                            content, start + 19 * index, width // (1 + (2 * (b - a) <= width))
                        ),
                        slice(a, b),
                    )
                    for index, (a, b) in enumerate(slices)
                ]
                for start in (block, block + words)
            ),
            positions_at(content, block + 2 * words, 4),
        )


@pytest.mark.parametrize("positions", [0, 1, 5, 19])
def test_a_cache_is_read_from_where_it_lies(image, place, positions):
    memory, where, placed = place
    content = memory.read(0, memory.words)
    for layer in range(image.config.layers):
        found = placed.read_cache(layer, positions)
        assert found.keys.dtype == found.values.dtype == np.int8
        for head, (rows, scales) in enumerate(blocks(where, content, layer)):
            for got, slices in zip((found.keys[head], found.values[head]), rows, strict=True):
                for held, columns in slices:
                    part = held.view(np.int8)[:positions, : columns.stop - columns.start]
                    assert np.array_equal(got[:, columns], part)
            pairs = np.stack([found.key_scales[head], found.value_scales[head]], axis=1)
            assert pairs.astype("<u2").tobytes() == scales[:positions].tobytes()


@pytest.mark.parametrize("positions", [0, 1, 5, 19])
def test_a_cache_is_written_where_it_is_read(image, place, positions):
    memory, where, placed = place
    config, draw = image.config, np.random.default_rng(2)
    shape = config.kv_heads, positions
    before = memory.read(0, memory.words)
    written = []
    for _ in range(config.layers):
        rows = draw.integers(-127, 128, (2, *shape, config.head_size), np.int8)
        scales = draw.integers(0, 1 << 15, (2, *shape)).astype(np.uint16)
        written.append(
            CacheView(keys=rows[0], values=rows[1], key_scales=scales[0], value_scales=scales[1])
        )
    for layer, rows in enumerate(written):
        placed.write_cache(layer, rows)
    for layer, rows in enumerate(written):
        found = placed.read_cache(layer, positions)
        for name in ("keys", "values", "key_scales", "value_scales"):
            assert np.array_equal(getattr(found, name), getattr(rows, name)), name
    after = memory.read(0, memory.words)
    for area in (where.tape, where.rows, where.program, where.summary, where.hidden):
        words = slice(area.first_word, area.end_word)
        assert np.array_equal(after[words], before[words])


@pytest.mark.parametrize(("base", "path"), [(0, [0, 2]), (5, [0, 3, 4]), (11, [0, 1, 7])])
def test_moved_rows_and_nothing_else(image, place, base, path):
    memory, where, placed = place
    expected = memory.read(0, memory.words)
    for layer in range(image.config.layers):
        for rows, scales in blocks(where, expected, layer):
            for held in (scales, *(held for slices in rows for held, _ in slices)):
                held[base : base + len(path)] = held[[base + node for node in path]]
    placed.move(base, path)
    assert np.array_equal(memory.read(0, memory.words), expected)


def test_rows_in_place_are_left_alone(image, place, monkeypatch):
    memory, where, placed = place
    copied = []
    monkeypatch.setattr(
        memory, "copy_pieces", lambda moves, size, **_: copied.append((moves, size))
    )
    placed.move(3, [0, 1, 3])
    assert len(copied) == 2 * where.slices.count + 1
    for moves, size in copied:
        ((source, target),) = moves
        assert source - target == size


def test_a_memory_too_small_is_refused(image, place):
    _, where, _ = place
    layout = image.layout
    ports = np.zeros((layout.ports, (where.words - 1) * layout.port_bytes), np.uint8)
    needed, size = where.words * layout.word_bytes, ports.size
    message = f"needs {needed} bytes of the accelerator's memory, but it has {size}; open it with"
    with pytest.raises(TercelError, match=message):
        DeviceMemory(StripedMemory(ports, port_bytes=layout.port_bytes), where)
