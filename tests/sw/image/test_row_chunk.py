"""Row-chunks of groups; those of equal width are tested with the matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.image.multiplier import multiplier_values
from tercel.image.row_chunk import EqualChunks, GroupedChunks


def random_rows(columns, rows=3, seed=0):
    rng = np.random.default_rng(seed)
    groups = -(-columns // 128)
    trits = rng.integers(-1, 2, (rows, columns), np.int8)
    return trits, multiplier_values(rng.integers(0, 1024, (rows, groups)).astype(np.uint16))


def test_the_last_row_chunk_has_the_groups_that_remain():
    chunks = GroupedChunks(TapeLayout(tables=78), 1000)
    assert chunks.groups == 8
    assert chunks.sizes == (78 + 4, 78 + 4, 52 + 3)
    assert GroupedChunks(TapeLayout(tables=77), 256).sizes == (52 + 3,)
    assert GroupedChunks(TapeLayout(tables=26), 256).sizes == (26 + 2, 26 + 2)


@given(st.integers(1, 700), st.integers(26, 130), st.integers(0, 2**32 - 1))
def test_packing_is_inverted(columns, tables, seed):
    trits, multipliers = random_rows(columns, seed=seed)
    chunks = GroupedChunks(TapeLayout(tables=tables), columns)
    packed = chunks.pack(trits, multipliers)
    assert [part.shape for part in packed] == [(3, size) for size in chunks.sizes]
    assert np.array_equal(chunks.trits(packed), trits)
    assert np.array_equal(chunks.multipliers(packed), multipliers)


def test_equal_row_chunks_have_codes_alone():
    chunks = EqualChunks(TapeLayout(tables=10), 60)
    trits, _ = random_rows(60)
    packed = chunks.pack(trits, None)
    assert chunks.sizes == (6, 6)
    assert np.array_equal(chunks.trits(packed), trits)


@pytest.mark.parametrize(
    ("place", "byte", "message"),
    [
        (3, 243, "codes of base3 are below 243, but one is 243"),
        (12, 2 * 81, "the last trit of 64 columns is not zero"),
        (25, 0, "the last trit of 64 columns is not zero"),
    ],
)
def test_corrupt_codes_are_refused(place, byte, message):
    chunks = GroupedChunks(TapeLayout(tables=26), 256)
    packed = chunks.pack(*random_rows(256))
    packed[1][2, place] = byte
    with pytest.raises(TercelError, match=message):
        chunks.trits(packed)


def test_corrupt_multipliers_are_refused():
    chunks = GroupedChunks(TapeLayout(tables=26), 128)
    packed = chunks.pack(*random_rows(128))
    packed[0][0, -1] |= 0x80
    with pytest.raises(TercelError, match="bits after its last multiplier are not zero"):
        chunks.multipliers(packed)
