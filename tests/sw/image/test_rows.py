import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.image import Part, Segment, TapeLayout
from tercel.image.rows import fetch_rows, place_rows, take_rows


@given(
    ports=st.integers(1, 4),
    port_bytes=st.sampled_from([4, 8, 16, 32]),
    rows=st.integers(1, 50),
    columns=st.integers(1, 70),
    first_word=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_take_and_fetch_invert_place(ports, port_bytes, rows, columns, first_word, seed):
    rng = np.random.default_rng(seed)
    layout = TapeLayout(ports=ports, port_bytes=port_bytes)
    size = -(-rows // 16) * layout.row_block(columns).itemsize
    segment = Segment(
        name="head",
        kind="rows",
        rows=rows,
        columns=columns,
        parts=(Part(name="head", start=0, rows=rows),),
        first_word=first_word,
        words=layout.words(size),
        played=True,
    )
    values = rng.integers(-127, 128, (rows, columns), np.int8)
    scales = rng.random(rows, np.float32)
    content = np.zeros(size, np.uint8)
    place_rows(layout, segment, content, values, scales)
    found, found_scales = take_rows(layout, segment, content)
    assert np.array_equal(found, values)
    assert np.array_equal(found_scales, scales)

    words = np.concatenate([np.full(first_word * layout.word_bytes, 255, np.uint8), content])
    ports_first = words.reshape(-1, ports, port_bytes).transpose(1, 0, 2)
    tape = np.ascontiguousarray(ports_first).reshape(ports, -1)
    ids = rng.integers(0, rows, 7)
    found, found_scales = fetch_rows(layout, segment, tape, ids)
    assert np.array_equal(found, values[ids])
    assert np.array_equal(found_scales, scales[ids])


@pytest.mark.parametrize(("ports", "port_bytes", "size"), [(4, 16, 64 + 16 * 64), (1, 4, 64 + 64)])
def test_a_block_is_scales_and_padded_rows(ports, port_bytes, size):
    assert TapeLayout(ports=ports, port_bytes=port_bytes).row_block(3).itemsize == size
