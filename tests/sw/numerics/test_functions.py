"""The elementary functions against their written formula and against the true functions."""

import numpy as np
import pytest

from tercel import numerics
from tercel.numerics.functions import (
    exp2_significands,
    exp2_table,
    reciprocal_table,
    rsqrt_table,
)

FUNCTIONS = {
    "reciprocal": (numerics.reciprocal, lambda x: 1 / x, -17),
    "rsqrt": (numerics.rsqrt, lambda x: 1 / np.sqrt(x), -16),
}


def all_exponents(per_exponent=2000, seed=1):
    """Every normal exponent with random and extreme mantissas."""
    rng = np.random.default_rng(seed)
    exponents = np.arange(1, 255, dtype=np.uint32)[:, None] << 23
    mantissas = rng.integers(0, 1 << 23, (1, per_exponent), dtype=np.uint32)
    mantissas[0, :3] = 0, 1, (1 << 23) - 1
    return (exponents | mantissas).ravel().view(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_relative_error_over_all_exponents(name):
    function, true, bits = FUNCTIONS[name]
    x = all_exponents()
    expected = true(x.astype(np.float64))
    normal = expected > 2.0**-126
    error = np.abs(function(x)[normal] / expected[normal] - 1)
    assert error.max() < 2.0**bits
    assert (function(x)[expected < 2.0**-127] == 0).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_relative_error_over_all_mantissas(name):
    function, true, bits = FUNCTIONS[name]
    for exponent in (127, 128):
        x = (np.arange(1 << 23, dtype=np.uint32) | np.uint32(exponent << 23)).view(np.float32)
        assert np.abs(function(x) / true(x.astype(np.float64)) - 1).max() < 2.0**bits


def test_exp2_error_and_range():
    x = np.random.default_rng(2).uniform(-125, 127.9, 1_000_000).astype(np.float32)
    assert np.abs(numerics.exp2(x) / np.exp2(x.astype(np.float64)) - 1).max() < 2.0**-18
    corners = np.float32([0, 1, -126, -127, -1e30, 128, 1e30, np.inf, -np.inf])
    expected = [1, 2, 2.0**-126, 0, 0, np.inf, np.inf, np.inf, 0]
    assert numerics.exp2(corners).tolist() == expected


@pytest.mark.parametrize(
    ("table", "low_bits"), [(reciprocal_table(), 15), (rsqrt_table(), 16), (exp2_table(), 15)]
)
def test_a_segment_fits_a_36_bit_word_and_stays_normalised(table, low_bits):
    assert table.low_bits == low_bits
    assert table.values.min() >= 1 << 23
    assert table.values.max() < 1 << 24
    assert table.slopes.min() >= 0
    assert table.slopes.max() < 1 << 12
    index = np.arange(256, dtype=np.int32)
    for low in (0, 1, (1 << low_bits) - 1):
        y = table.significand(index, np.int32(low))
        assert y.min() >= 1 << 23
        assert y.max() < 1 << 24


def reference_reciprocal(x):
    """The written formula, one number at a time in Python integers."""
    bits = int(np.float32(x).view(np.uint32))
    sign, exponent, mantissa = bits >> 31, (bits >> 23) & 255, bits & 0x7FFFFF
    if exponent == 0 or 253 - exponent <= 0:
        return -0.0 if sign else 0.0
    table = reciprocal_table()
    index, low = mantissa >> 15, mantissa & 0x7FFF
    y = int(table.values[index]) - ((int(table.slopes[index]) * low) >> 11)
    return float(y) * 2.0 ** (253 - exponent - 127 - 23) * (-1 if sign else 1)


def test_reciprocal_is_the_written_formula():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 1 << 32, 3000, dtype=np.uint32)
    x = x[((x >> 23) & 255) != 255].view(np.float32)
    assert numerics.reciprocal(x).tolist() == [reference_reciprocal(value) for value in x]


def test_reciprocal_and_rsqrt_of_zero_are_zero():
    assert numerics.reciprocal(np.float32([0.0, -0.0, np.inf])).tolist() == [0, 0, 0]
    assert numerics.rsqrt(np.float32([0.0])).tolist() == [0]


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "reciprocal": (0x00000000, 0x80000000),
        "rsqrt": (0x1F7FFFD0, 0x9F7FFFD0),
        "exp2": (0x7F800000, 0x00000000),
        "sigmoid": (0x3F7FFFE0, 0x00000000),
        "silu": (0x7F800000, 0x80000000),
        "relu2": (0x7F800000, 0x00000000),
    }.items(),
)
def test_functions_of_both_infinities(name, expected):
    y = getattr(numerics, name)(np.float32([np.inf, -np.inf]))
    assert y.view(np.uint32).tolist() == list(expected)


def test_softmax_table_is_16_bits():
    table = exp2_significands()
    assert len(table) == 512
    assert table[0] == 1 << 15
    assert table.max() < 1 << 16


def test_activations_follow_their_definitions():
    x = np.linspace(-30, 30, 10001, dtype=np.float32)
    wide = x.astype(np.float64)
    assert np.abs(numerics.sigmoid(x) - 1 / (1 + np.exp(-wide))).max() < 2.0**-16
    assert np.abs(numerics.silu(x) - wide / (1 + np.exp(-wide))).max() < 2.0**-11
    assert (numerics.relu2(x) == np.where(x > 0, x * x, 0)).all()
    extreme = np.float32([-3e38, -200, 0, 200, 3e38])
    assert np.abs(numerics.silu(extreme)[:3]).tolist() == [0, 0, 0]
    assert np.abs(numerics.silu(extreme)[3:] / extreme[3:] - 1).max() < 2.0**-16
