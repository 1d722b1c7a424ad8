import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.image import Part, Segment, TapeLayout
from tercel.image.matrix import place_matrix, take_matrix

layouts = st.builds(
    TapeLayout,
    code=st.sampled_from(["base3", "index5"]),
    tables=st.integers(1, 9),
    ports=st.integers(1, 4),
    port_bytes=st.sampled_from([4, 16]),
    block_rows=st.integers(1, 9),
)


def ternary_segment(layout, columns, parts):
    rows = sum(part.rows for part in parts)
    chunks = layout.chunks(columns)
    return Segment(
        name="layers.0.x",
        kind="ternary",
        rows=rows,
        columns=columns,
        parts=tuple(parts),
        first_word=0,
        words=layout.words(rows * chunks.count * chunks.bytes),
        played=True,
    )


@given(
    layout=layouts,
    columns=st.integers(1, 60),
    rows=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    interleaved=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_take_inverts_place(layout, columns, rows, interleaved, seed):
    rng = np.random.default_rng(seed)
    if interleaved:
        rows = [rows[0]] * len(rows)
        parts = [
            Part(name=f"p{i}", start=i, rows=count, step=len(rows)) for i, count in enumerate(rows)
        ]
    else:
        starts = np.cumsum([0, *rows]).tolist()
        parts = [Part(name=f"p{i}", start=starts[i], rows=count) for i, count in enumerate(rows)]
    segment = ternary_segment(layout, columns, parts)
    content = np.zeros(segment.words * layout.word_bytes, np.uint8)
    matrix = rng.integers(-1, 2, (segment.rows, columns), np.int8)
    for part in rng.permutation(np.array(parts, object)):
        place_matrix(layout, segment, content, part, matrix[part.slice()])
    assert np.array_equal(take_matrix(layout, segment, content), matrix)
    for part in parts:
        assert np.array_equal(take_matrix(layout, segment, content, part), matrix[part.slice()])


def test_a_corrupt_code_is_refused():
    layout = TapeLayout()
    segment = ternary_segment(layout, 10, [Part(name="p", start=0, rows=3)])
    content = np.zeros(segment.words * layout.word_bytes, np.uint8)
    content[3] = 243
    with pytest.raises(TercelError, match="codes of base3 are below 243, but one is 243"):
        take_matrix(layout, segment, content)
