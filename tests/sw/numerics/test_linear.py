import numpy as np
import pytest

from tercel import numerics


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (640, 256), (513, 1536), (33, 6912)])
def test_ternary_linear_is_the_exact_integer_sum(shape, dtype):
    rng = np.random.default_rng(shape[0])
    weights = rng.integers(-1, 2, shape, dtype=np.int8)
    x = rng.integers(-127, 128, (5, shape[1]), dtype=np.int8)
    expected = x.astype(np.int64) @ weights.astype(np.int64).T
    sums = numerics.ternary_linear(weights.astype(dtype), x)
    assert sums.dtype == np.int32
    assert (sums == expected).all()


def test_the_largest_sums_are_exact():
    x = np.full((1, 6912), 127, np.int8)
    assert numerics.ternary_linear(np.ones((2, 6912), np.int8), x).tolist() == [[877824] * 2]
    rows = np.full((2, 6912), -127, np.int8)
    assert numerics.integer_linear(rows, x).tolist() == [[-127 * 127 * 6912] * 2]


def test_integer_linear_is_exact_beyond_24_bits():
    rng = np.random.default_rng(3)
    rows = rng.integers(100, 128, (50, 2560), dtype=np.int8)
    x = rng.integers(90, 128, (3, 2560), dtype=np.int8)
    expected = x.astype(np.int64) @ rows.astype(np.int64).T
    assert expected.max() > 1 << 24
    sums = numerics.integer_linear(rows, x)
    assert sums.dtype == np.int32
    assert (sums == expected).all()


def test_sums_that_float32_cannot_hold_are_refused():
    columns = (1 << 24) // 127 + 1
    with pytest.raises(ValueError, match=f"at most {columns - 1} columns are exact"):
        numerics.ternary_linear(np.ones((1, columns), np.int8), np.ones((1, columns), np.int8))


def test_dequantise_rounds_the_integer_and_the_product():
    y = np.int32([[3, -5, (1 << 24) + 1]])
    scale = np.float32(0.1)
    expected = y.astype(np.float32) * scale
    assert (numerics.dequantise(y, scale) == expected).all()


def test_dequantise_rounds_the_integer_before_the_product():
    """2^24 + 3 becomes 2^24 + 4; rounding the exact product alone would give one less."""
    row = numerics.dequantise(np.int32([(1 << 24) + 3]), np.float32(0.75))
    assert row.dtype == np.float32
    assert row.tolist() == [0.75 * ((1 << 24) + 4)]
