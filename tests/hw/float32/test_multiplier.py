import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tercel import numerics
from tercel_hw.float32 import Multiplier

# No shrinking: every try is a simulation, and a failure names its operands.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
normal_bits = st.builds(
    lambda sign, exponent, mantissa: sign << 31 | exponent << 23 | mantissa,
    st.integers(0, 1),
    st.integers(1, 254),
    st.integers(0, (1 << 23) - 1),
)


@pytest.mark.parametrize("exponents", [(1, 254), (64, 190)], ids=["all", "inner"])
def test_random_operands(check, floats, exponents):
    a, b = floats.random(1, 1500, exponents), floats.random(2, 1500, exponents)
    check(Multiplier(), numerics.multiply(a, b), a=a, b=b)


@pytest.mark.parametrize("border", [127, 127 + 254], ids=["flush", "overflow"])
def test_products_around_the_borders(check, floats, border):
    """Sums of biased exponents that make the product the smallest or the largest number."""
    generator = np.random.default_rng(border)
    total = border + generator.integers(-2, 3, 1000)
    exponent = generator.integers(np.maximum(total - 254, 1), np.minimum(total - 1, 254) + 1)
    a, b = floats.random(3, 1000, (1, 1)), floats.random(4, 1000, (1, 1))
    a = floats.of_bits(a.view(np.uint32) + (exponent - 1 << 23))
    b = floats.of_bits(b.view(np.uint32) + (total - exponent - 1 << 23))
    check(Multiplier(), numerics.multiply(a, b), a=a, b=b)


def test_products_just_below_the_smallest_normal(check, floats):
    """Gradual underflow rounds some of them up to 2^-126 that 24 bits would leave below."""
    step = np.arange(-40, 41)
    a = floats.of_bits((np.float32(1).view(np.uint32) + step) - (1 << 23))
    b = np.full_like(a, 2**-125) * np.float32(1 - 2**-24)
    products = numerics.multiply(a, b)
    assert 0 in products
    assert np.float32(2**-126) in products
    check(Multiplier(), products, a=a, b=b)


def test_ties_go_to_even(check):
    """Significands of 13 and 12 bits: the products' last bits decide."""
    generator = np.random.default_rng(5)
    a = (generator.integers(1 << 12, 1 << 13, 800) | 1).astype(np.float32)
    b = (generator.integers(1 << 11, 1 << 12, 800) | 1).astype(np.float32)
    check(Multiplier(), numerics.multiply(a, b), a=a, b=b)


def test_corners(check, floats):
    a, b = floats.pairs(floats.corners)
    check(Multiplier(), numerics.multiply(a, b), a=a, b=b)


def test_subnormal_operands_are_zeros(evaluate, floats):
    tiny = floats.of_bits([1, 0x007FFFFF, 0x80000001, 0x807FFFFF])
    huge = np.full(4, 2.0**127, np.float32)
    assert evaluate(Multiplier(), a=tiny, b=huge) == [0, 0, 1 << 31, 1 << 31]
    assert evaluate(Multiplier(), a=huge, b=tiny) == [0, 0, 1 << 31, 1 << 31]


def test_zero_times_infinity_is_zero(evaluate):
    a, b = np.float32([0, np.inf]), np.float32([np.inf, -0.0])
    assert evaluate(Multiplier(), a=a, b=b) == [0, 1 << 31]


@pytest.mark.parametrize("b_bits", [2, 8, 17])
def test_a_short_second_significand(check, floats, b_bits):
    a, b = floats.random(6, 1000, (64, 190)), floats.random(7, 1000, (64, 190))
    b = floats.of_bits(b.view(np.uint32) >> 24 - b_bits << 24 - b_bits)
    check(Multiplier(b_bits=b_bits), numerics.multiply(a, b), a=a, b=b)


def test_both_forms_are_one(check_forms):
    check_forms(Multiplier, start_up=8)


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(st.lists(st.tuples(normal_bits, normal_bits), min_size=10, max_size=60))
def test_any_operands(check, floats, pairs):
    a, b = floats.of_bits(pairs).T
    check(Multiplier(), numerics.multiply(a, b), a=a, b=b)
