import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel_quant.importers.gguf_i2s import I2S_LAYOUTS

X86, ARM, ROWS = (I2S_LAYOUTS[name] for name in ("x86", "arm", "rows"))


def packed(*weights: tuple[int, int, int], count: int) -> np.ndarray:
    """Bytes of trits 0 but for some: byte, place from the highest bits, trit."""
    data = np.full(count // 4, 0b01_01_01_01, np.uint8)
    for byte, place, trit in weights:
        shift = 6 - 2 * place
        data[byte] = data[byte] & ~np.uint8(3 << shift) | np.uint8(trit + 1 << shift)
    return data


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        # Byte and place in it of the weights 1, 17, 50 and 130 of two rows of 128.
        (X86, [(1, 0), (17, 0), (18, 1), (34, 0)]),
        (ARM, [(1, 0), (1, 1), (2, 3), (34, 0)]),
    ],
)
def test_published_places(layout, places):
    """A byte holds the weights b, b + n, b + 2n, b + 3n of 4n: n is 32 for x86 and 16 for ARM."""
    trits = (1, -1, 1, -1)
    marks = [(*place, trit) for place, trit in zip(places, trits, strict=True)]
    matrix = layout.trits(packed(*marks, count=256), 128)
    expected = np.zeros(256, np.int8)
    expected[[1, 17, 50, 130]] = trits
    assert np.array_equal(matrix, expected.reshape(2, 128))


def test_rows_of_four():
    matrix = ROWS.trits(packed((0, 0, 1), (2, 1, -1), (5, 3, 1), count=32), 4)
    expected = np.zeros((8, 4), np.int8)
    expected[0, 0], expected[1, 2], expected[7, 1] = 1, -1, 1
    assert np.array_equal(matrix, expected)


@given(
    layout=st.sampled_from([X86, ARM, ROWS]),
    columns=st.sampled_from([4, 96, 128]),
    seed=st.integers(0),
)
def test_every_weight_has_one_place(layout, columns, seed):
    rows = 2 * layout.rows_of_units(columns)
    data = np.random.default_rng(seed).choice(np.array([0, 1, 2], np.uint8), (rows * columns))
    data = data[0::4] << 6 | data[1::4] << 4 | data[2::4] << 2 | data[3::4]
    matrix = layout.trits(data, columns)
    assert matrix.shape == (rows, columns)
    counts = [sum(int(((data >> s) & 3 == c).sum()) for s in (0, 2, 4, 6)) for c in (0, 1, 2)]
    assert counts == [int((matrix == trit).sum()) for trit in (-1, 0, 1)]
    # Units are independent: reading them in two parts gives the same.
    half = layout.trits(data[: len(data) // 2], columns)
    assert np.array_equal(half, matrix[: rows // 2])


def test_code_3_is_damage():
    with pytest.raises(TercelError, match="holds the two-bit code 3, which is no trit"):
        X86.trits(np.full(32, 0b11_00_00_00, np.uint8), 128)


@pytest.mark.parametrize(
    ("layout", "shape", "rule"),
    [
        (X86, (3, 96), "must have a multiple of 128 weights"),
        (ARM, (1, 96), "must have a multiple of 64 weights"),
        (ROWS, (6, 64), "must have a multiple of 4 rows, not 6"),
    ],
)
def test_shapes_refused(layout, shape, rule):
    layout.check(4, 128)
    with pytest.raises(TercelError, match=rule):
        layout.check(*shape)
