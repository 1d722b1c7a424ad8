import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tercel import numerics

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def test_flush_keeps_signs_and_normals():
    x = np.float32([1e-39, -1e-39, 2**-126, -(2**-126), 0.0, -0.0, np.inf, 1.5])
    y = numerics.flush(x)
    assert y.tolist() == [0, 0, 2**-126, -(2**-126), 0, 0, np.inf, 1.5]
    assert np.signbit(y).tolist() == [False, True, False, True, False, True, False, False]


@given(finite, finite)
def test_multiply_rounds_the_exact_product_once(a, b):
    with np.errstate(over="ignore", under="ignore"):
        exact = np.float32(np.float64(a) * np.float64(b))  # 48 bits fit a float64
    expected = exact if abs(exact) >= 2**-126 else np.copysign(np.float32(0), exact)
    y = numerics.multiply(np.float32([a]), np.float32([b]))[0]
    assert y == expected
    assert np.signbit(y) == np.signbit(expected)


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


def test_fixed_of_infinity_saturates():
    y = numerics.fixed(np.float32([math.inf, -math.inf]), 9, 18)
    assert y.tolist() == [2**17 - 1, -(2**17)]
