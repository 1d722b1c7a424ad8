"""Random integers at the ends of their range and near powers of two."""

import random

__all__ = ["at_a_limit"]

NEAR = 16
"""Rows of a row block, the granularity of padding."""


def at_a_limit(draw: random.Random, low: int, high: int) -> int:
    """Draw a number in ``low..high``: often an end, often near a power of two, else any."""
    kind = draw.random()
    if kind < 0.4:
        return draw.choice((high, high, draw.randint(max(low, high - NEAR), high)))
    if kind < 0.7:
        power = 1 << draw.randint(0, high.bit_length())
        return min(high, max(low, power + draw.randint(-2, 2)))
    return round(low * (high / low) ** draw.random())
