import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel import numerics

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
normal = finite.filter(lambda x: x == 0 or abs(x) >= 2**-126)


def test_flush_keeps_signs_and_normals():
    x = np.float32([1e-39, -1e-39, 2**-126, -(2**-126), 0.0, -0.0, np.inf, 1.5])
    y = numerics.flush(x)
    assert y.tolist() == [0, 0, 2**-126, -(2**-126), 0, 0, np.inf, 1.5]
    assert np.signbit(y).tolist() == [False, True, False, True, False, True, False, False]


@given(normal, normal)
def test_multiply_rounds_the_exact_product_once(a, b):
    with np.errstate(over="ignore", under="ignore"):
        exact = np.float32(np.float64(a) * np.float64(b))  # 48 bits fit a float64
    expected = exact if abs(exact) >= 2**-126 else np.copysign(np.float32(0), exact)
    y = numerics.multiply(np.float32([a]), np.float32([b]))[0]
    assert y == expected
    assert np.signbit(y) == np.signbit(expected)


def bits(*values):
    return np.array(values, np.uint32).view(np.float32)


@pytest.mark.parametrize("zero", [0x00000000, 0x80000000, 0x00000001, 0x807FFFFF])
@pytest.mark.parametrize("infinity", [0x7F800000, 0xFF800000])
def test_zero_times_infinity_is_a_zero_of_the_product_s_sign(zero, infinity):
    sign = (zero ^ infinity) & 0x80000000
    for a, b in (zero, infinity), (infinity, zero):
        product = numerics.multiply(bits(a, 0x3F800000), bits(b, 0x3F800000))
        assert product.view(np.uint32).tolist() == [sign, 0x3F800000]
    scalar = numerics.multiply(bits(zero), bits(infinity)[0])
    assert scalar.view(np.uint32).tolist() == [sign]


def test_opposite_infinities_add_to_infinity():
    x = bits(0x7F800000, 0xFF800000, 0x3F800000)
    sums = numerics.add(x, bits(0xFF800000, 0x7F800000, 0x3F800000))
    assert sums.view(np.uint32).tolist() == [0x7F800000, 0x7F800000, 0x40000000]
    assert numerics.add(x[:2], x[:2]).view(np.uint32).tolist() == [0x7F800000, 0xFF800000]


def test_subnormal_operands_count_as_zeros():
    tiny = bits(0x007FFFFF, 0x807FFFFF)
    assert numerics.multiply(tiny, np.float32(2.0**127)).view(np.uint32).tolist() == [0, 1 << 31]
    largest = np.float32(2.0**-126)
    assert numerics.add(tiny, largest).tolist() == [largest, largest]


@given(finite, finite)
def test_add_flushes(a, b):
    y = float(numerics.add(np.float32([a]), np.float32([b]))[0])
    assert y == 0 or abs(y) >= 2**-126


@given(finite.filter(lambda x: 0 <= x < 1e38))
def test_bfloat16_up_is_the_next_one(x):
    bits = numerics.bfloat16_up(np.abs(np.float32([x])))
    assert numerics.bfloat16_value(bits)[0] >= np.float32(x)
    if bits[0]:
        assert numerics.bfloat16_value(bits - np.uint16(1))[0] < np.float32(x)


@given(finite, st.integers(0, 23), st.integers(2, 32))
def test_fixed_rounds_half_to_even_and_saturates(x, fraction_bits, width):
    limit = 1 << (width - 1)
    expected = min(max(round(Fraction(x) * 2**fraction_bits), -limit), limit - 1)
    assert numerics.fixed(np.float32([x]), fraction_bits, width)[0] == expected


def test_fixed_ties_go_to_the_even_neighbour():
    halves = np.arange(-9, 10, dtype=np.float32) / 2
    expected = [-4, -4, -4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 4]
    assert numerics.fixed(halves, 0, 18).tolist() == expected
    assert numerics.fixed(halves / 512, 9, 18).tolist() == expected


def test_fixed_at_the_borders_of_its_width():
    x = np.float32([127, 127.49, 127.5, 128, 1e30, -128, -128.5, -128.51, -129, -1e30])
    expected = [127, 127, 127, 127, 127, -128, -128, -128, -128, -128]
    assert numerics.fixed(x, 0, 8).tolist() == expected


def test_fixed_of_infinity_saturates():
    y = numerics.fixed(np.float32([math.inf, -math.inf]), 9, 18)
    assert y.tolist() == [2**17 - 1, -(2**17)]
