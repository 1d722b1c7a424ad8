from fractions import Fraction

import numpy as np
import pytest
from side_by_side import SideBySide

from tercel_hw.float32 import RoundedShift

LARGEST = 150
WIDTHS = 2, 8, 17, 18, 19, 25, 32


def golden(width, significand, exponent, negative):
    """Python's rounding has ties to even."""
    if not LARGEST - width < exponent <= LARGEST:
        return 0
    value = round(Fraction(significand) * Fraction(2) ** (width - 25 - LARGEST + exponent))
    return -value if negative else value


def random_operands(width, count):
    generator = np.random.default_rng(width)
    significand = generator.integers(1 << 23, 1 << 24, count)
    # Few bits make ties, none above the lowest makes them far below.
    significand[::3] &= -1 << generator.integers(0, 24, len(significand[::3]))
    exponent = LARGEST - generator.integers(-3, width + 3, count)
    exponent[::20] = generator.integers(0, 256, len(exponent[::20]))
    return {
        "significand": significand | 1 << 23,
        "exponent": exponent,
        "negative": generator.integers(0, 2, count),
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_integers_and_ties(evaluate, width):
    operands = random_operands(width, 1500)
    columns = zip(*(column.tolist() for column in operands.values()), strict=True)
    expected = [golden(width, *column) for column in columns]
    assert evaluate(RoundedShift(width=width, largest=LARGEST), **operands) == expected


def test_both_forms_are_one(check_forms):
    generator, operands = np.random.default_rng(1), {}
    for width in WIDTHS:
        given = random_operands(width, 1000)
        operands |= {f"{name}_w{width}": column for name, column in given.items()}
    operands["enable"] = ((np.arange(1000) < 8) | (generator.random(1000) < 0.7)).astype(int)
    columns = zip(*(column.tolist() for column in operands.values()), strict=True)
    stimulus = [dict(zip(operands, column, strict=True)) for column in columns]

    def shifts():
        return SideBySide(
            {f"w{width}": RoundedShift(width=width, largest=LARGEST) for width in WIDTHS}
        )

    check_forms(shifts, start_up=6, stimulus=stimulus)
