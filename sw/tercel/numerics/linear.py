"""Exact integer products of int8 activations with ternary, grouped or int8 matrices."""

import numpy as np
import numpy.typing as npt

from tercel.numerics.blocks import BlockQuantised
from tercel.numerics.float32 import Float32, Int8, Int32, multiply

__all__ = [
    "GROUP",
    "dequantise",
    "grouped_linear",
    "grouped_weights",
    "integer_linear",
    "ternary_linear",
]

EXACT = 1 << 24
"""Float32 represents every integer up to this, so sums below it are exact in any order."""
GROUP = 128
"""Columns of a row with a multiplier; the last group has what remains."""
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


def grouped_linear(
    weights: Int8 | Float32, multipliers: npt.NDArray[np.uint16], x: BlockQuantised
) -> npt.NDArray[np.int64]:
    """``y[n, r] = sum_g multipliers[r, g] * sum_(c in g) weights[r, c] * integers[n, c]``.

    Exact, and below 2^39 in magnitude for up to 16384 columns.

    Parameters
    ----------
    weights
        ``[rows, columns]`` trits, as int8, or as float32 for speed.
    multipliers
        ``[rows, ceil(columns / 128)]`` in 0..2044.
    x
        Activations ``[N, columns]``; ``integers`` are its values with their shifts.
    """
    rows, columns = weights.shape
    integers = x.integers().astype(np.float32)
    y = np.empty((len(integers), rows), np.int64)
    step = max(1, TILE_ELEMENTS // columns)
    for start in range(0, rows, step):
        tile = slice(start, start + step)
        sums = _group_sums(weights[tile].astype(np.float32, copy=False), integers)
        products = sums.astype(np.float64) * multipliers[tile].T[:, None]
        y[:, tile] = products.sum(axis=0)  # integers below 2^53: exact in any order
    return y


def grouped_weights(
    trits: Int8 | Float32, multipliers: npt.NDArray[np.uint16], row_scale: Float32
) -> Float32:
    """Weights ``f32(trit * multiplier) * row_scale``, float32 ``[rows, columns]``.

    The parameters are ``[rows, columns]``, ``[rows, ceil(columns / 128)]`` and ``[rows]``.
    """
    groups = multipliers.astype(np.float32)
    integers = trits * np.repeat(groups, GROUP, axis=1)[:, : trits.shape[1]]
    return multiply(integers, row_scale[:, None])


def _group_sums(weights: Float32, x: Float32) -> Float32:
    """Sums ``[groups, N, rows]`` of each group, below 2^21: exact in float32 in any order."""
    (rows, columns), nodes = weights.shape, len(x)
    whole = columns // GROUP
    sums = np.empty((-(-columns // GROUP), nodes, rows), np.float32)
    split = whole * GROUP
    np.matmul(
        x[:, :split].reshape(nodes, whole, GROUP).transpose(1, 0, 2),
        weights[:, :split].reshape(rows, whole, GROUP).transpose(1, 2, 0),
        out=sums[:whole],
    )
    if split < columns:
        sums[whole] = x[:, split:] @ weights[:, split:].T
    return sums


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


def dequantise(y: Int32 | npt.NDArray[np.int64], scale: Float32) -> Float32:
    """``float32(y) * scale``, ``scale`` broadcast; from 2^24 on y rounds to nearest even."""
    return multiply(y.astype(np.float32), scale)
