"""Exact integer products of int8 activations with ternary or int8 matrices."""

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32, Int8, Int32, multiply

__all__ = ["dequantise", "integer_linear", "ternary_linear"]

EXACT = 1 << 24
"""Float32 represents every integer up to this, so sums below it are exact in any order."""
TILE_ELEMENTS = 1 << 18
"""Weights converted to float32 at a time: 1 MiB, which fits the host's cache."""


def ternary_linear(weights: Int8 | Float32, x: Int8) -> Int32:
    """``y[n, r] = sum_c weights[r, c] * x[n, c]``.

    Parameters
    ----------
    weights
        ``[rows, columns]`` trits, as int8, or as float32 for speed.
    x
        int8 ``[N, columns]``.
    """
    if weights.shape[1] * 127 >= EXACT:
        raise ValueError(f"at most {EXACT // 127} columns are exact, not {weights.shape[1]}")
    return _product(weights, x.astype(np.float32)).astype(np.int32)


def integer_linear(weights: Int8, x: Int8) -> Int32:
    """``y[n, r] = sum_c weights[r, c] * x[n, c]`` for int8 rows with |weights| <= 127."""
    span = (EXACT - 1) // 127**2
    y = np.zeros((x.shape[0], weights.shape[0]), np.int32)
    for start in range(0, x.shape[1], span):
        part = slice(start, start + span)
        y += _product(weights[:, part], x[:, part].astype(np.float32)).astype(np.int32)
    return y


def _product(weights: npt.NDArray, x: Float32) -> Float32:
    """``x @ weights.T`` through the float32 BLAS, which is exact here."""
    if weights.dtype == np.float32:
        return x @ weights.T
    rows, columns = weights.shape
    y = np.empty((x.shape[0], rows), np.float32)
    step = max(1, TILE_ELEMENTS // columns)
    for start in range(0, rows, step):
        y[:, start : start + step] = x @ weights[start : start + step].astype(np.float32).T
    return y


def dequantise(y: Int32, scale: Float32) -> Float32:
    """``float32(y) * scale``, ``scale`` broadcast; from 2^24 on y rounds to nearest even."""
    return multiply(y.astype(np.float32), scale)
