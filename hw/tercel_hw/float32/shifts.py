"""Shifts by variable amounts, in two steps: eight bits at a time, then one bit at a time.

Each step is at most about five levels of LUTs and is meant to be a stage of its own.
"""

from amaranth.hdl import Cat, Mux, Value

__all__ = ["COARSE", "FINE_BITS", "leading_zeros", "shift_left", "shift_right"]

FINE_BITS = 3
COARSE = 1 << FINE_BITS
"""Shift unit of the first step, in bits."""


def shift_right(value: Value, amount: Value, unit: int) -> tuple[Value, Value]:
    """Return ``value >> amount * unit`` and a bit that is set if any lost bit is."""
    shifted = value >> (amount * unit)
    lost = Cat(
        value[step * unit : (step + 1) * unit].any() & (amount > step)
        for step in range((1 << len(amount)) - 1)
    )
    return shifted[: len(value)], lost.any()


def leading_zeros(value: Value, unit: int, limit: int) -> Value:
    """Count the units of zeros at the top of ``value``, at most ``limit``."""
    count = limit
    for unit_index in reversed(range(limit)):
        top = len(value) - unit_index * unit
        count = Mux(value[max(top - unit, 0) : top].any(), unit_index, count)
    return Value.cast(count)


def shift_left(value: Value, amount: Value, unit: int) -> Value:
    """Return ``value << amount * unit`` in the width of ``value``."""
    return (value << (amount * unit))[: len(value)]
