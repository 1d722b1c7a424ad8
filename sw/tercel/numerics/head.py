"""The language-model head: int8 rows times int8 activations, and reductions of its logits."""

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32, Int8, Int32, fixed, multiply
from tercel.numerics.functions import EXP2_FRACTION_BITS, LOG2_E, exp2_significands
from tercel.numerics.linear import dequantise, integer_linear
from tercel.numerics.quantise import Quantised

__all__ = ["ExponentialSum", "argmax", "exponential_sum", "head_logits", "logits", "top_k"]

LOGIT_BITS = 18
WINDOW = 28
"""Octaves below the highest that count in the sum of exponentials."""


def head_logits(rows: Int8, row_scales: Float32, x: Quantised) -> Float32:
    """``[N, rows]`` unscaled logits ``float32(acc) * row_scale``, in the order of the logits."""
    return dequantise(integer_linear(rows, x.values), row_scales)


def logits(unscaled: Float32, scale: Float32) -> Float32:
    """``[N, rows]`` logits from unscaled ones and the nodes' activation scales ``[N]``."""
    return multiply(unscaled, scale[:, None])


def argmax(unscaled: Float32) -> Int32:
    """``[N]`` rows of the highest logit, ties to the lower row."""
    return np.argmax(unscaled, axis=-1).astype(np.int32)


def top_k(unscaled: Float32, k: int) -> Int32:
    """``[N, k]`` rows of the k highest logits, highest first, ties to the lower row."""
    best = np.empty((unscaled.shape[0], k), np.int32)
    for node, row in enumerate(unscaled):
        kth = np.partition(row, row.size - k)[row.size - k]
        candidates = np.flatnonzero(row >= kth)
        order = np.argsort(-row[candidates], kind="stable")
        best[node] = candidates[order[:k]]
    return best


class ExponentialSum:
    """``sum(exp(logit))`` of each node as an integer times a power of two.

    Attributes
    ----------
    octave
        int32 ``[N]``, the integer part of the largest base-2 logit.
    total
        uint64 ``[N]``; the sum is ``total * 2^(octave - 43)``.
    """

    def __init__(self, *, octave: Int32, total: npt.NDArray[np.uint64]):
        self.octave = octave
        self.total = total

    def log(self) -> npt.NDArray[np.float64]:
        """The natural logarithm of the sum, float64 ``[N]``, computed by the host."""
        return (self.octave - WINDOW - 15 + np.log2(self.total.astype(np.float64))) * np.log(2.0)


def exponential_sum(unscaled: Float32, scale: Float32) -> ExponentialSum:
    """Sum of exponentials in one sweep: 16-bit significands are added exactly, per octave."""
    t = fixed(multiply(unscaled, multiply(scale, LOG2_E)[:, None]), EXP2_FRACTION_BITS, LOGIT_BITS)
    octaves = t >> EXP2_FRACTION_BITS
    significands = exp2_significands()[t & ((1 << EXP2_FRACTION_BITS) - 1)]
    highest = octaves.max(axis=-1)
    depth = highest[:, None] - octaves
    total = np.zeros(len(t), np.uint64)
    for node in range(len(t)):
        bins = np.bincount(depth[node], weights=significands[node], minlength=WINDOW + 1)
        window = bins[: WINDOW + 1].astype(np.uint64)
        total[node] = (window << np.arange(WINDOW, -1, -1, dtype=np.uint64)).sum(dtype=np.uint64)
    return ExponentialSum(octave=highest.astype(np.int32), total=total)
