"""The levels of an adder tree, which engines know without building one."""

__all__ = ["COMPLEMENTED", "COUNTED", "SUMMED", "count_latency", "tree_latency"]

COMPLEMENTED = 2
"""Terms with a sign that an adder takes: a bit's table has the two signs as further inputs."""
SUMMED = 3
"""Other terms that an adder takes."""
COUNTED = (6, 4)
"""Bits that the first level counts at a time, and counts that a later level adds up."""


def count_latency(bits: int) -> int:
    """Cycles to count the ones of so many bits; 0 if there are none."""
    if not bits:
        return 0
    first, later = COUNTED
    counts, latency = -(-bits // first), 1
    while counts > 1:
        counts, latency = -(-counts // later), latency + 1
    return latency


def tree_latency(*, plain: int, with_sign: int) -> int:
    """Cycles of a tree of so many terms, 1 at least.

    The count of the signs is one more term as soon as it is known.
    """
    counted = count_latency(with_sign)
    terms = -(-plain // SUMMED) + -(-with_sign // COMPLEMENTED)
    latency = 1
    while terms > 1 or latency <= counted:
        terms = -(-(terms + (latency == counted)) // SUMMED)
        latency += 1
    return latency
