"""Blocks of rows: their scales, row-chunks and padding."""

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.image.matrix_form import MatrixForm

LAYOUT = TapeLayout(tables=78, ports=2, port_bytes=8, block_rows=10)


def test_a_matrix_of_one_scale_is_dense():
    form = MatrixForm(layout=LAYOUT, granularity="tensor", columns=400)
    assert form.row_chunks.sizes == (40, 40)
    assert form.matrix_bytes(23) == 23 * 80
    assert not form.scaled


@pytest.mark.parametrize(("granularity", "row"), [("row", 80), ("group", 82 + 28)])
def test_scaled_blocks_begin_on_a_word(granularity, row):
    form = MatrixForm(layout=LAYOUT, granularity=granularity, columns=400)
    assert sum(form.row_chunks.sizes) == row
    assert form.block_bytes(10) == 48 + -(-10 * row // 16) * 16
    assert form.matrix_bytes(23) == 2 * form.block_bytes(10) + 16 + -(-3 * row // 16) * 16
    assert form.matrix_bytes(20) == 2 * form.block_bytes(10)


def test_views_of_a_block_are_scales_then_chunks():
    form = MatrixForm(layout=LAYOUT, granularity="group", columns=400)
    content = np.arange(form.matrix_bytes(13), dtype=np.uint32).astype(np.uint8)
    first, last = form.blocks(content, 13)
    assert (first.first, first.rows, last.first, last.rows) == (0, 10, 10, 3)
    assert first.scales.tobytes() == content[:40].tobytes()
    assert first.chunks[0].tobytes() == content[48 : 48 + 820].tobytes()
    assert first.chunks[1].tobytes() == content[868 : 868 + 280].tobytes()
    start = form.block_bytes(10)
    assert last.chunks[0].tobytes() == content[start + 16 : start + 16 + 3 * 82].tobytes()


@pytest.mark.parametrize(
    ("layout", "found"),
    [(TapeLayout(tables=25), "base3 with 25"), (TapeLayout(code="index5"), "index5 with 77")],
)
def test_groups_need_tables_for_one(layout, found):
    message = f"needs a layout with the code base3 and at least 26 tables, not {found}; "
    with pytest.raises(TercelError, match=message):
        MatrixForm(layout=layout, granularity="group", columns=128)
