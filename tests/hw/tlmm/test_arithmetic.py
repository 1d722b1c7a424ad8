import itertools

import pytest
from amaranth.hdl import Const
from combinational import evaluate

from tercel_hw.tlmm.arithmetic import plus_or_minus


@pytest.mark.parametrize("width", [1, 4])
def test_sums_and_differences_of_signed_numbers(width):
    numbers = range(1 << width)

    def make(minus, a, b):
        return plus_or_minus(minus, a.as_signed(), b.as_signed())[: width + 1].as_signed()

    def signed(value):
        return value - (value >> (width - 1) << width)

    rows = list(itertools.product((0, 1), numbers, numbers))
    expected = [signed(a) + (-1) ** minus * signed(b) for minus, a, b in rows]
    # The lowest less the lowest and the like need the whole of the result.
    assert evaluate(make, (1, width, width), rows) == expected


def test_constants_too():
    assert evaluate(
        lambda m: plus_or_minus(m, Const(5, 4), Const(3, 4))[:4], (1,), [(0,), (1,)]
    ) == [
        8,
        2,
    ]
