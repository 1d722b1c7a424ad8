import tracemalloc

import numpy as np
import pytest

from tercel import numerics
from tercel.numerics import BlockQuantised


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


def block_quantised(values, shifts):
    return BlockQuantised(
        values=values, shifts=shifts, scale=np.ones(values.shape[:-1], np.float32)
    )


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize("columns", [1, 64, 128, 300, 2048])
def test_grouped_linear_is_the_sum_of_scaled_groups(columns, dtype):
    rng = np.random.default_rng(columns)
    trits = rng.integers(-1, 2, (20, columns))
    multipliers = rng.integers(0, 2045, (20, -(-columns // 128)), np.uint16)
    x = block_quantised(
        rng.integers(-127, 128, (3, columns), np.int8),
        rng.integers(0, 8, (3, -(-columns // 64)), np.int8),
    )
    weights = trits * np.repeat(multipliers.astype(int), 128, axis=1)[:, :columns]
    integers = x.values * 2 ** np.repeat(x.shifts.astype(int), 64, axis=1)[:, :columns]
    assert np.array_equal(x.integers(), integers)
    found = numerics.grouped_linear(trits.astype(dtype), multipliers, x)
    assert found.dtype == np.int64
    assert np.array_equal(found, integers @ weights.T)


@pytest.mark.parametrize("sign", [-1, 1])
def test_grouped_linear_is_exact_at_the_largest_values(sign):
    """16384 columns of largest values: 40 bits hold the sum, and no step of it rounds."""
    columns = 1 << 14
    trits = np.full((2, columns), sign, np.int8)
    trits[1, 0] = 0
    multipliers = np.full((2, columns // 128), 2044, np.uint16)
    x = block_quantised(
        np.full((1, columns), 127, np.int8), np.full((1, columns // 64), 7, np.int8)
    )
    each = 127 * 2**7 * 2044
    found = numerics.grouped_linear(trits, multipliers, x)
    assert found.tolist() == [[sign * columns * each, sign * (columns - 1) * each]]
    assert columns * each < 2**39


def test_grouped_linear_with_multipliers_of_one_is_the_plain_one():
    rng = np.random.default_rng(3)
    trits = rng.integers(-1, 2, (30, 200), np.int8)
    values = rng.integers(-127, 128, (4, 200), np.int8)
    found = numerics.grouped_linear(
        trits, np.ones((30, 2), np.uint16), block_quantised(values, np.zeros((4, 4), np.int8))
    )
    assert np.array_equal(found, numerics.ternary_linear(trits, values))


def test_grouped_weights_are_trits_times_multipliers_times_row_scales():
    trits = np.array([[1, -1, 0] * 50], np.int8)
    multipliers = np.array([[2044, 3]], np.uint16)
    found = numerics.grouped_weights(trits, multipliers, np.array([0.25], np.float32))
    expected = [511.0, -511.0, 0] * 50
    expected[128:] = [0.75 * trit for trit in trits[0, 128:]]
    assert found.tolist() == [expected]


def test_grouped_linear_converts_a_tile_at_a_time():
    """No copy of the matrix in floats: 8 MiB of trits would be 32 or 64."""
    rng = np.random.default_rng(4)
    trits = rng.integers(-1, 2, (2048, 4096), np.int8)
    multipliers = np.ones((2048, 32), np.uint16)
    x = block_quantised(rng.integers(-127, 128, (8, 4096), np.int8), np.ones((8, 64), np.int8))
    tracemalloc.start()
    numerics.grouped_linear(trits, multipliers, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
