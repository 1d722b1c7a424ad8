import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel import numerics


def scalar_sum_of_squares(row):
    """The documented order, one float32 addition at a time."""
    f = np.float32
    squares = [f(v) * f(v) for v in row] + [f(0)] * (-len(row) % 128)

    def tree(values):
        while len(values) > 1:
            values = [values[i] + values[i + 1] for i in range(0, len(values), 2)]
        return values[0]

    accumulators = [None] * 8
    for group in range(len(squares) // 16):
        total, slot = tree(squares[16 * group : 16 * group + 16]), group % 8
        accumulators[slot] = total if group < 8 else accumulators[slot] + total
    return tree(accumulators)


@pytest.mark.parametrize("width", [1, 16, 127, 128, 256, 300, 1536, 6912])
def test_sum_of_squares_has_the_documented_order(width):
    x = np.random.default_rng(width).normal(0, 3, (3, width)).astype(np.float32)
    expected = [scalar_sum_of_squares(row) for row in x]
    assert numerics.sum_of_squares(x).tolist() == expected
    assert numerics.sum_of_squares(x[:, None]).tolist() == [[value] for value in expected]


@given(st.integers(0, 2**32), st.sampled_from([16, 96, 256]), st.floats(-30, 30))
def test_quantise_is_within_half_a_step(seed, width, magnitude):
    x = np.random.default_rng(seed).normal(0, 2.0**magnitude, (4, width)).astype(np.float32)
    row = numerics.quantise(x)
    step = np.abs(x).max(axis=1, keepdims=True) / 127
    assert np.abs(row.values).max(axis=1).tolist() == [127] * 4
    assert (np.abs(row.values * row.scale[:, None] - x) <= 0.502 * step).all()


def test_zero_rows_quantise_to_zero():
    x = np.zeros((2, 32), np.float32)
    for row in (numerics.quantise(x), numerics.norm_quantise(x, np.ones(32, np.float32), 1e-5)):
        assert not row.values.any()
        assert not row.scale.any()
    values, scales = numerics.quantise_cache(x)
    assert not values.any()
    assert not scales.any()
    values, scales = numerics.quantise_rows(x)
    assert not values.any()
    assert not scales.any()


def test_the_tiniest_rows_stay_finite():
    x = np.float32([[0, 2.0**-126, -(2.0**-125), 2.0**-124]])
    row = numerics.quantise(x)
    assert row.values.tolist() == [[0, 4, -8, 16]]
    assert np.isfinite(row.scale).all()


def test_norm_quantise_is_rms_norm():
    rng = np.random.default_rng(5)
    x = rng.normal(0, 7, (6, 1536)).astype(np.float32)
    gain = rng.uniform(-2, 2, 1536).astype(np.float32)
    row = numerics.norm_quantise(x, gain, 1e-5)
    wide = x.astype(np.float64)
    normed = wide * gain / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5)
    step = np.abs(normed).max(axis=1, keepdims=True) / 127
    assert (np.abs(row.values * row.scale[:, None] - normed) <= 0.505 * step).all()


def test_a_node_does_not_see_the_others():
    rng = np.random.default_rng(6)
    x = (rng.normal(0, 1, (8, 256)) * np.exp(rng.normal(0, 4, (8, 1)))).astype(np.float32)
    gain = rng.uniform(0.5, 2, 256).astype(np.float32)
    together = numerics.norm_quantise(x, gain, 1e-6)
    for node in range(8):
        alone = numerics.norm_quantise(x[node : node + 1], gain, 1e-6)
        assert (alone.values[0] == together.values[node]).all()
        assert alone.scale[0] == together.scale[node]


def test_cache_rows_use_the_rounded_scale():
    x = np.random.default_rng(7).normal(0, 1, (5, 3, 96)).astype(np.float32)
    values, bits = numerics.quantise_cache(x)
    scale = numerics.bfloat16_value(bits)
    largest = np.abs(x).max(axis=-1)
    assert (scale >= largest * np.float32(1 / 127)).all()
    assert (scale <= largest / 127 * 1.01).all()
    assert (np.abs(values * scale[..., None] - x) <= 0.502 * scale[..., None]).all()


def test_rows_of_an_embedding():
    x = np.random.default_rng(8).normal(0, 1, (40, 64)).astype(np.float32)
    x[3] = 1e-42
    values, scales = numerics.quantise_rows(x)
    assert values.dtype == np.int8
    assert scales.dtype == np.float32
    assert not values[3].any()
    assert (
        np.abs(values * scales[:, None] - x) <= 0.501 * np.maximum(scales, 1e-41)[:, None]
    ).all()


def test_heads_are_normed_by_a_factor_of_their_scale():
    x = np.random.default_rng(9).normal(0, 3, (5, 4, 64)).astype(np.float32)
    gain = np.linspace(0.5, 2.0, 64, dtype=np.float32)
    rows, factor = numerics.head_norm(x, gain, 1e-6)
    wide = np.float64(x)
    normed = wide * gain / np.sqrt((wide**2).mean(axis=-1, keepdims=True) + 1e-6)
    assert factor.shape == (5, 4)
    assert np.allclose(rows * factor[..., None], normed, rtol=1e-4)
    values, bits = numerics.quantise_cache(rows, factor)
    scale = numerics.bfloat16_value(bits)[..., None]
    assert (np.abs(values * scale - normed) <= 0.505 * scale).all()


def test_a_factor_of_one_changes_no_bit_of_the_cache():
    x = (
        np.random.default_rng(10).normal(size=(50, 32))
        * np.exp2(np.linspace(-126, 120, 50))[:, None]
    ).astype(np.float32)
    x = numerics.flush(x)
    plain = numerics.quantise_cache(x)
    given = numerics.quantise_cache(x, np.ones(50, np.float32))
    for found, expected in zip(given, plain, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("exponent", [-126, -119, -118, 0, 127])
@pytest.mark.parametrize("factor", [2.0**-20, 1.0, 2.0**60])
def test_cache_units_are_finite(exponent, factor):
    """An infinite unit would make 127 of the smallest elements."""
    x = np.array([[0, 2.0**-126, 2.0**exponent * 1.5]], np.float32)
    values, scale = numerics.quantise_cache(x, np.array([factor], np.float32))
    assert values[0, 0] == 0
    assert values[0, 2] in ((126, 127) if 0 < scale[0] < 0x7F80 else (0,))
