import itertools

import pytest
from combinational import evaluate

from tercel_hw.float32.shifts import leading_zeros, shift_left, shift_right

WIDTH = 9


@pytest.mark.parametrize("unit", [1, 2, 8])
def test_a_shift_to_the_right_tells_what_is_lost(unit):
    rows = list(itertools.product([*range(0, 1 << WIDTH, 7), 1, 2, 128, 256, 511], range(8)))
    found = evaluate(lambda value, amount: shift_right(value, amount, unit), (WIDTH, 3), rows)
    assert found == [
        (value >> amount * unit, int(value % (1 << amount * unit) != 0)) for value, amount in rows
    ]


@pytest.mark.parametrize("unit", [1, 2, 8])
def test_a_shift_to_the_left_keeps_the_width(unit):
    rows = list(itertools.product(range(0, 1 << WIDTH, 5), range(8)))
    found = evaluate(lambda value, amount: shift_left(value, amount, unit), (WIDTH, 3), rows)
    assert found == [(value << amount * unit) % (1 << WIDTH) for value, amount in rows]


@pytest.mark.parametrize(("unit", "limit"), [(1, 9), (1, 4), (2, 4), (8, 1), (8, 2)])
def test_leading_zeros_are_counted_in_units(unit, limit):
    def zeros(value):
        text = format(value, f"0{WIDTH}b")
        return min((len(text) - len(text.lstrip("0"))) // unit, limit)

    values = range(1 << WIDTH)
    found = evaluate(
        lambda value: leading_zeros(value, unit, limit), (WIDTH,), [(v,) for v in values]
    )
    # A unit that lies in part below the value is one of zeros if the rest is.
    assert found == [zeros(value) if value else limit for value in values]
