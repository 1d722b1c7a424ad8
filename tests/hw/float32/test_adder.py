import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tercel import numerics
from tercel_hw.float32 import Adder

# No shrinking: every try is a simulation, and a failure names its operands.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
normal_bits = st.builds(
    lambda sign, exponent, mantissa: sign << 31 | exponent << 23 | mantissa,
    st.integers(0, 1),
    st.integers(1, 254),
    st.integers(0, (1 << 23) - 1),
)


@pytest.mark.parametrize(
    "exponents",
    [(1, 254), (100, 130), (1, 30), (225, 254)],
    ids=["all", "near", "flush", "overflow"],
)
def test_random_operands(check, floats, exponents):
    a, b = floats.random(1, 1000, exponents), floats.random(2, 1000, exponents)
    check(Adder(), numerics.add(a, b), a=a, b=b)


def test_every_difference_of_exponents(check, floats):
    exponent = np.repeat(np.arange(-254, 255), 2)
    a = floats.random(3, len(exponent), (1, 1)).view(np.uint32)
    b = floats.random(4, len(exponent), (1, 1)).view(np.uint32)
    a = floats.of_bits(a + (np.clip(exponent, 1, 254) - 1 << 23))
    b = floats.of_bits(b + (np.clip(-exponent, 1, 254) - 1 << 23))
    check(Adder(), numerics.add(a, b), a=a, b=b)


def test_cancellation(check, floats):
    a = floats.random(5, 1000)
    last_bits = np.random.default_rng(6).integers(0, 1 << 24, 1000) >> np.arange(1000) % 24
    near = (a.view(np.uint32) ^ np.uint32(1 << 31)) ^ last_bits.astype(np.uint32)
    near = floats.of_bits(np.where(near & 0x7F800000, near, 0))
    near = np.where(np.isfinite(near), near, np.float32(0))
    check(Adder(), numerics.add(a, near), a=a, b=near)


def test_ties_go_to_even(check, floats):
    """Odd and even significands, and half of their last bit, a little more and a little less."""
    significands = np.float32([2**23, 2**23 + 1, 2**24 - 1, 2**24 - 2])
    halves = np.float32([0.5, 0.5 + 2**-24, 0.5 - 2**-25, 0.25, 0.75, 1.5, 1.5 - 2**-23])
    a, b = (x.ravel() for x in np.meshgrid(significands, halves))
    a, b = np.concatenate([a, a, -a, -a]), np.concatenate([b, -b, b, -b])
    check(Adder(), numerics.add(a, b), a=a, b=b)


def test_corners(check, floats):
    a, b = floats.pairs(floats.corners)
    check(Adder(), numerics.add(a, b), a=a, b=b)


def test_opposite_infinities_are_infinity(evaluate):
    a = np.float32([np.inf, -np.inf])
    assert evaluate(Adder(), a=a, b=-a) == [0x7F800000, 0x7F800000]


def test_subnormal_operands_are_zeros(evaluate, floats):
    tiny = floats.of_bits([1, 0x007FFFFF, 0x80000001, 0x807FFFFF])
    assert evaluate(Adder(), a=tiny, b=np.float32([1, -1, 2**-126, 0])) == [
        0x3F800000,
        0xBF800000,
        0x00800000,
        0x00000000,
    ]


def test_below_a_tie(check, floats):
    """Far below the last bit, what is taken away or added decides ties, and nothing else."""
    a = np.float32([2**24, 2**24 + 2, 2**24 + 4, 2**25 - 2, 1 + 2**-23, 1])
    a = np.concatenate([a, np.nextafter(a, np.float32(0))])
    shift = np.arange(-40, 28)
    b = np.concatenate([np.exp2(shift), 1.5 * np.exp2(shift), (1 + 2**-23) * np.exp2(shift)])
    a, b = (x.ravel() for x in np.meshgrid(a, b.astype(np.float32)))
    a, b = np.concatenate([a, a]), np.concatenate([b, -b])
    check(Adder(), numerics.add(a, b), a=a, b=b)


def test_ties_with_bits_far_below(check, floats):
    """Half of the last bit less or more than another 2^-17 of it: the smaller operand has both."""
    generator = np.random.default_rng(8)
    big = floats.random(9, 1200, (120, 120))
    distance = 17 + np.arange(1200) % 9
    mantissa = np.zeros(1200, np.int64)
    mantissa[1::2] = 1 << generator.integers(0, 23, 600)
    sign = generator.integers(0, 2, 1200)
    small = floats.of_bits(sign << 31 | (120 - distance) << 23 | mantissa)
    check(Adder(), numerics.add(big, small), a=big, b=small)


@pytest.mark.parametrize("exponents", [(1, 254), (100, 130), (225, 254)])
def test_magnitudes(check, floats, exponents):
    a, b = abs(floats.random(11, 1000, exponents)), abs(floats.random(12, 1000, exponents))
    corners = floats.pairs(abs(floats.corners))
    a, b = np.concatenate([a, corners[0]]), np.concatenate([b, corners[1]])
    dut = Adder(magnitudes=True)
    assert dut.magnitudes
    check(dut, numerics.add(a, b), a=a, b=b)


def test_both_forms_are_one(check_forms):
    generator = np.random.default_rng(10)
    a = generator.integers(0, 1 << 32, 2000)
    b = generator.integers(0, 1 << 32, 2000)
    apart = generator.integers(-30, 31, 2000)
    exponent = np.clip((a >> 23 & 255) + apart, 0, 255)
    b[::2] = (b & 0x807FFFFF | exponent << 23)[::2]
    b[::4] = (a ^ 1 << 31 ^ generator.integers(0, 1 << 24, 2000) >> np.arange(2000) % 24)[::4]
    enable = (np.arange(2000) < 12) | (generator.random(2000) < 0.8)
    columns = zip(a.tolist(), b.tolist(), enable.tolist(), strict=True)
    stimulus = [{"a": a, "b": b, "enable": int(enable)} for a, b, enable in columns]
    check_forms(Adder, start_up=10, stimulus=stimulus)


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(st.lists(st.tuples(normal_bits, normal_bits), min_size=10, max_size=60))
def test_any_operands(check, floats, pairs):
    a, b = floats.of_bits(pairs).T
    check(Adder(), numerics.add(a, b), a=a, b=b)
