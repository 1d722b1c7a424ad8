"""Random numbers as pure functions of (seed, position, token) or (seed, position, stream)."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["SEED_LIMIT", "gumbel", "uniform"]

SEED_LIMIT = 1 << 64
"""Exclusive upper bound of seeds."""
MASK = SEED_LIMIT - 1
GOLDEN = 0x9E3779B97F4A7C15
"""The increment of splitmix64: 2^64 divided by the golden ratio."""
FACTOR_1, FACTOR_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
# The same as scalars of arrays: making them takes longer than an operation on a few tokens.
SHIFT_11, SHIFT_27, SHIFT_30, SHIFT_31 = map(np.uint64, (11, 27, 30, 31))
GOLDEN_64, FACTOR_1_64, FACTOR_2_64 = map(np.uint64, (GOLDEN, FACTOR_1, FACTOR_2))


def _mix(value: int) -> int:
    """The finaliser of splitmix64, a bijection of 64-bit words."""
    value = (value ^ (value >> 30)) * FACTOR_1 & MASK
    value = (value ^ (value >> 27)) * FACTOR_2 & MASK
    return value ^ (value >> 31)


def _mix_array(values: npt.NDArray[np.uint64]) -> None:
    """Apply :func:`_mix` in place."""
    values ^= values >> SHIFT_30
    values *= FACTOR_1_64
    values ^= values >> SHIFT_27
    values *= FACTOR_2_64
    values ^= values >> SHIFT_31


def gumbel(seed: int, position: int, tokens: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard Gumbel noise of tokens at a position.

    The argmax of ``log p + noise`` is a draw from ``p`` (Gumbel-max trick). The noise of a token
    depends only on seed, position and token: not on the other candidates, nor on the passes that
    led to the position. Sampled text is therefore the same with and without speculation.

    Parameters
    ----------
    seed
        In ``0..2^64-1``.
    position
        Position, in the sequence, of the node whose logits are sampled.
    tokens
        Token ids ``[n]``.

    Returns
    -------
    Finite float64 noise ``[n]``: token ``t`` has the ``t``-th output of a splitmix64 generator that
    starts from a hash of seed and position.
    """
    start = _mix(_mix(seed & MASK) + position * GOLDEN & MASK)
    # In place: for the few tokens of a drafter's call the time is that of the calls.
    bits = np.array(tokens, np.uint64)
    bits *= GOLDEN_64
    bits += np.uint64(start + GOLDEN & MASK)
    _mix_array(bits)
    bits >>= SHIFT_11
    noise = bits.astype(np.float64)
    noise += 0.5
    noise *= 2.0**-53
    for _ in range(2):
        np.log(noise, out=noise)
        np.negative(noise, out=noise)
    return noise


def uniform(seed: int, position: int, stream: str) -> float:
    """A number that is uniform in 0..1, both excluded.

    Streams are independent of each other and of :func:`gumbel`. A rule gives each of its draws a
    stream of its own, and never asks twice for the same (position, stream) in one text.

    Parameters
    ----------
    seed
        In ``0..2^64-1``.
    position
        Position in the sequence.
    stream
        Name of the draw, such as ``"residual"``.
    """
    key = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "little")
    start = _mix(_mix((seed ^ key) & MASK) + position * GOLDEN & MASK)
    return ((_mix(start + GOLDEN & MASK) >> 11) + 0.5) * 2.0**-53
