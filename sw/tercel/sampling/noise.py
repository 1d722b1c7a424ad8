"""Random numbers as pure functions of (seed, position, token) or (seed, position, stream)."""

import math
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["SEED_LIMIT", "gumbel", "louder_than", "uniform"]

SEED_LIMIT = 1 << 64
"""Exclusive upper bound of seeds."""
MASK = SEED_LIMIT - 1
GOLDEN = 0x9E3779B97F4A7C15
"""The increment of splitmix64: 2^64 divided by the golden ratio."""
FACTOR_1, FACTOR_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
# The same as scalars of arrays: making them takes longer than an operation on a few tokens.
SHIFT_11, SHIFT_27, SHIFT_30, SHIFT_31 = map(np.uint64, (11, 27, 30, 31))
GOLDEN_64, FACTOR_1_64, FACTOR_2_64 = map(np.uint64, (GOLDEN, FACTOR_1, FACTOR_2))
BELOW_ONE = 1 - 2.0**-53
"""The largest float64 below 1: the highest hash, moved to the middle of its range, rounds to 1."""
BLOCK = 8192
"""Tokens that are hashed at once, in the processor's first cache."""
BLOCK_STEPS = np.arange(1, BLOCK + 1, dtype=np.uint64) * GOLDEN_64


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


def _start(seed: int, position: int) -> int:
    """State of the generator whose outputs are the noise of a position's tokens."""
    return _mix(_mix(seed & MASK) + position * GOLDEN & MASK)


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
    start = _start(seed, position)
    # In place: for the few tokens of a drafter's call the time is that of the calls.
    bits = np.array(tokens, np.uint64)
    bits *= GOLDEN_64
    bits += np.uint64(start + GOLDEN & MASK)
    _mix_array(bits)
    bits >>= SHIFT_11
    noise = bits.astype(np.float64)
    noise += 0.5
    noise *= 2.0**-53
    np.minimum(noise, BELOW_ONE, out=noise)
    for _ in range(2):
        np.log(noise, out=noise)
        np.negative(noise, out=noise)
    return noise


def louder_than(seed: int, position: int, tokens: int, least: float) -> npt.NDArray[np.int64]:
    """Ids, of the first ``tokens``, whose :func:`gumbel` noise may be ``least`` or more, ascending.

    Hashes all tokens, but takes no logarithms: a bound of the noise is a bound of the hash. A few
    ids of less noise are returned, too.
    """
    odds = math.exp(-math.exp(min(-least, 700.0)))
    # Both exponentials round; the lower bits of the hash are not compared.
    bound = np.uint64(max(0, int(odds * 2.0**53) - 4) >> 22 << 33)
    start = _start(seed, position)
    values, shifted = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
    found = []
    for first in range(0, tokens, BLOCK):
        np.add(BLOCK_STEPS, np.uint64(start + first * GOLDEN & MASK), out=values)
        for shift, factor in ((SHIFT_30, FACTOR_1_64), (SHIFT_27, FACTOR_2_64)):
            np.right_shift(values, shift, out=shifted)
            values ^= shifted
            values *= factor
        # The last step of the hash leaves the upper 31 bits as they are.
        found.append(np.flatnonzero(values[: tokens - first] >= bound) + first)
    return np.concatenate(found)


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
    return min(((_mix(start + GOLDEN & MASK) >> 11) + 0.5) * 2.0**-53, BELOW_ONE)
