"""Whole numbers at the ends of their range and about powers of two."""

import random

__all__ = ["at_a_limit"]

NEAR = 16
"""Rows of a block: numbers that are padded alike."""


def at_a_limit(draw: random.Random, low: int, high: int) -> int:
    """A number in ``low..high``: often at the end, often about a power of two, else of any size."""
    kind = draw.random()
    if kind < 0.4:
        return draw.choice((high, high, draw.randint(max(low, high - NEAR), high)))
    if kind < 0.7:
        power = 1 << draw.randint(0, high.bit_length())
        return min(high, max(low, power + draw.randint(-2, 2)))
    return round(low * (high / low) ** draw.random())
