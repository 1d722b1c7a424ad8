"""The latency of an adder tree, computed without building one."""

__all__ = ["COMPLEMENTED", "COUNTED", "SUMMED", "count_latency", "tree_latency"]

COMPLEMENTED = 2
"""Signed terms of an adder: the lookup table of a bit has the two signs as further inputs."""
SUMMED = 3
"""Unsigned terms or sums of an adder."""
COUNTED = (6, 4)
"""Bits that the first level counts at a time, and counts that each later level adds."""


def count_latency(bits: int) -> int:
    """Return the cycles to count the ones of ``bits`` bits; 0 for no bits."""
    if not bits:
        return 0
    first, later = COUNTED
    counts, latency = -(-bits // first), 1
    while counts > 1:
        counts, latency = -(-counts // later), latency + 1
    return latency


def tree_latency(*, plain: int, with_sign: int) -> int:
    """Return the cycles of a tree of ``plain`` and ``with_sign`` terms, at least 1.

    The count of the signs is one more term from the level at which it is known.
    """
    counted = count_latency(with_sign)
    terms = -(-plain // SUMMED) + -(-with_sign // COMPLEMENTED)
    latency = 1
    while terms > 1 or latency <= counted:
        terms = -(-(terms + (latency == counted)) // SUMMED)
        latency += 1
    return latency
