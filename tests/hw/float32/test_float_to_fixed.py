# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from side_by_side import SideBySide

from tercel import numerics
from tercel_hw.float32 import FloatToFixed

# No shrinking: every try is a simulation, and a failure names its operands.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
number = st.floats(width=32, allow_nan=False)


@pytest.mark.parametrize(
    ("fraction_bits", "width"),
    [(9, 18), (23, 32), (0, 8), (0, 2), (3, 23), (20, 24), (20, 25), (0, 31), (64, 16)],
)
def test_values_of_the_range_ties_and_beyond(check, floats, fraction_bits, width):
    generator = np.random.default_rng(width)
    octave = generator.uniform(-3, width + 1, 400) - fraction_bits
    x = (np.exp2(octave) * generator.choice([-1, 1], 400)).astype(np.float32)
    halves = generator.integers(-(2**width) - 2, 2**width + 3, 300).astype(np.float32) / 2
    limit = np.float32(2.0 ** (width - 1))
    ends = [limit - 1, limit - 0.5, limit, -limit, -limit - 0.5, np.nextafter(limit, 0)]
    steps = np.concatenate([halves, np.float32(ends), np.float32([0.5, 1.5, 2.5, 0.25, 0.75])])
    steps = steps * np.float32(2.0**-fraction_bits)
    x = np.concatenate([x, steps, -steps, floats.corners, floats.each_exponent(1)])
    dut = FloatToFixed(fraction_bits=fraction_bits, width=width)
    check(dut, numerics.fixed(x, fraction_bits, width), x=x)


def test_both_forms_are_one(check_forms):
    def converters():
        return SideBySide(
            {
                "narrow": FloatToFixed(fraction_bits=9, width=18),
                "wide": FloatToFixed(fraction_bits=23, width=32),
            }
        )

    check_forms(converters, start_up=7)


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(st.integers(0, 64), st.integers(2, 32), st.lists(number, min_size=10, max_size=40))
def test_any_format(check, fraction_bits, width, values):
    x = np.float32(values)
    x = np.where(np.abs(x) < 2**-126, np.float32(0), x)
    dut = FloatToFixed(fraction_bits=fraction_bits, width=width)
    check(dut, numerics.fixed(x, fraction_bits, width), x=x)


def test_the_constructor_checks_the_format():
    dut = FloatToFixed(fraction_bits=9, width=18)
    assert (dut.fraction_bits, dut.width) == (9, 18)
    with pytest.raises(ValueError, match="width must be between 2 and 32, not 33"):
        FloatToFixed(fraction_bits=0, width=33)
    with pytest.raises(ValueError, match="fraction_bits must be between 0 and 64, not -1"):
        FloatToFixed(fraction_bits=-1, width=8)
    with pytest.raises(TypeError, match="fraction_bits must be an integer, not None"):
        FloatToFixed(fraction_bits=None, width=8)
    with pytest.raises(TypeError, match="width must be an integer, not '8'"):
        FloatToFixed(fraction_bits=0, width="8")
