"""Quantisation with a power of two per block of 64 columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tercel import numerics
from tercel.numerics.blocks import BLOCK

finite = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
rows = hnp.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 200)), elements=finite)


def blocks_of(x):
    return [x[..., start : start + BLOCK] for start in range(0, x.shape[-1], BLOCK)]


@given(rows)
def test_each_block_takes_the_largest_power_of_two_that_fits(x):
    found = numerics.block_quantise(x)
    assert found.values.shape == x.shape
    assert found.shifts.shape == (2, -(-x.shape[1] // BLOCK))
    for row in range(2):
        largest = int(np.abs(np.float64(x[row])).max() * 2.0**149)  # exact integers
        for shift, block in zip(found.shifts[row], blocks_of(x[row]), strict=True):
            mine = int(np.abs(np.float64(block)).max() * 2.0**149)
            fits = [s for s in range(8) if mine << s <= largest]
            assert 7 - shift == max(fits)


def test_a_block_may_reach_the_largest_magnitude_itself():
    x = np.zeros((1, 200), np.float32)
    x[0, [3, 70, 130]] = 12.0, 1.5, -np.nextafter(np.float32(1.5), np.float32(2))
    assert numerics.block_quantise(x).shifts.tolist() == [[7, 4, 5, 0]]


@given(rows)
def test_values_are_within_half_a_step_of_the_block(x):
    found = numerics.block_quantise(x)
    largest = np.abs(np.float64(x)).max(axis=1)
    near = found.integers() * np.float64(found.scale)[:, None]
    usual = (largest > 2.0**-100) & (largest < 2.0**120)  # scale and unit are normal
    steps = largest[:, None] / 127 * 2.0 ** (np.repeat(found.shifts, BLOCK, axis=1) - 7.0)
    error = np.abs(near - x)[usual]
    assert (error <= 0.5004 * steps[usual][:, : x.shape[1]] + largest[usual][:, None] * 2e-5).all()


@given(rows, st.integers(1, 64))
def test_one_block_or_equal_blocks_are_the_plain_quantisation(x, columns):
    x = x[:, :columns]
    found, plain = numerics.block_quantise(x), numerics.quantise(x)
    some = np.abs(x).max(axis=1) > 0
    assert (found.shifts[some] == 7).all()
    assert np.array_equal(found.values, plain.values)
    assert np.array_equal(found.scale, numerics.multiply(plain.scale, np.float32(2.0**-7)))


def test_zeros_and_infinities():
    x = np.zeros((3, 130), np.float32)
    x[1, 70] = 3.0
    x[2, 5] = np.inf
    x[2, 100] = 1.0
    found = numerics.block_quantise(x)
    assert not found.values[0].any()
    assert found.shifts.tolist() == [[0, 0, 0], [0, 7, 0], [7, 0, 0]]
    assert found.values[1].nonzero()[0].tolist() == [70]
    assert not found.values[2].any()
    assert found.scale[0] == 0
    assert np.isinf(found.scale[2])


def test_tiny_rows_saturate_the_unit():
    """The reciprocal of the largest would be infinite: zero times infinity must not occur."""
    x = np.full((1, 70), 2.0**-126, np.float32)
    x[0, :10] = 0
    found = numerics.block_quantise(x)
    assert not found.values[0, :10].any()
    assert (found.values[0, 10:] > 0).all()


@pytest.mark.parametrize("columns", [96, 300])
def test_the_norm_is_in_the_scale_alone(columns):
    x = np.random.default_rng(columns).normal(size=(4, columns)).astype(np.float32)
    gain = np.linspace(0.5, 2.0, columns, dtype=np.float32)
    found = numerics.norm_block_quantise(x, gain, 1e-5)
    plain = numerics.block_quantise(numerics.multiply(x, gain))
    rms = np.sqrt((np.float64(x) ** 2).mean(axis=1) + 1e-5)
    assert np.array_equal(found.values, plain.values)
    assert np.array_equal(found.shifts, plain.shifts)
    assert np.abs(found.scale * rms / plain.scale - 1).max() < 1e-4
