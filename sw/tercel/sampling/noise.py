"""Sampling noise as a pure function of (seed, position, token)."""

import numpy as np
import numpy.typing as npt

__all__ = ["SEED_LIMIT", "gumbel"]

SEED_LIMIT = 1 << 64
"""Exclusive upper bound of seeds."""
MASK = SEED_LIMIT - 1
GOLDEN = 0x9E3779B97F4A7C15
"""The increment of splitmix64: 2^64 divided by the golden ratio."""


def _mix(value: int) -> int:
    """The finaliser of splitmix64, a bijection of 64-bit words."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def _mix_array(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


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
    steps = np.asarray(tokens, np.uint64) + np.uint64(1)
    bits = _mix_array(np.uint64(start) + steps * np.uint64(GOLDEN))
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return -np.log(-np.log(uniform))
