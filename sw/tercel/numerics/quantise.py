"""Int8 quantisation of rows, fused with the RMSNorm before it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import (
    Float32,
    Int8,
    add,
    bfloat16_up,
    bfloat16_value,
    flush,
    multiply,
)
from tercel.numerics.functions import reciprocal, rsqrt

__all__ = [
    "Quantised",
    "head_norm",
    "inverse_rms",
    "norm_quantise",
    "quantisation_unit",
    "quantise",
    "quantise_cache",
    "quantise_rows",
    "sum_of_squares",
]

LIMIT = np.float32(127)
INVERSE_LIMIT = np.float32(1 / 127)
TREE = 16
ACCUMULATORS = 8


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """Int8 rows with a scale each: ``values * scale[..., None]`` approximates the row."""

    values: Int8
    scale: Float32

    def at(self, rows: slice | npt.NDArray[np.bool_]) -> "Quantised":
        """A part of the rows: those of a slice or a mask."""
        return Quantised(values=self.values[rows], scale=self.scale[rows])


def _round(x: Float32, unit: Float32) -> Int8:
    return np.clip(np.rint(multiply(x, unit)), -LIMIT, LIMIT).astype(np.int8)


def _neighbours(x: Float32) -> Float32:
    """Sum the last axis, whose length is a power of two, by a binary tree of neighbours."""
    while x.shape[-1] > 1:
        x = add(x[..., 0::2], x[..., 1::2])
    return x[..., 0]


def sum_of_squares(x: Float32) -> Float32:
    """Sum of squares over the last axis in the accelerator's order.

    The axis is zero-padded to a multiple of 128. A binary tree adds groups of 16 neighbours, their
    sums go round robin to 8 accumulators, and a binary tree adds the accumulators. An adder with a
    latency of up to 8 cycles then never waits for its own result.
    """
    width = x.shape[-1]
    padding = -width % (TREE * ACCUMULATORS)
    squares = multiply(x, x)
    squares = np.pad(squares, [(0, 0)] * (x.ndim - 1) + [(0, padding)])
    groups = _neighbours(squares.reshape(*x.shape[:-1], -1, ACCUMULATORS, TREE))
    total = groups[..., 0, :]
    for step in range(1, groups.shape[-2]):
        total = add(total, groups[..., step, :])
    return _neighbours(total)


def quantisation_unit(largest: Float32) -> Float32:
    """The factor that maps a row's largest magnitude to 127."""
    # Saturated, so that rows of tiny magnitude do not multiply zero by infinity.
    return np.minimum(multiply(reciprocal(largest), LIMIT), np.finfo(np.float32).max)


def quantise(x: Float32) -> Quantised:
    """Absmax int8 quantisation over the last axis; a row of zeros has the scale 0."""
    largest = np.abs(x).max(axis=-1)
    unit = quantisation_unit(largest)
    return Quantised(values=_round(x, unit[..., None]), scale=multiply(largest, INVERSE_LIMIT))


def inverse_rms(x: Float32, epsilon: float) -> Float32:
    """``1 / sqrt(mean square + epsilon)`` over the last axis."""
    mean = multiply(sum_of_squares(x), np.float32(1 / x.shape[-1]))
    return rsqrt(add(mean, np.float32(epsilon)))


def norm_quantise(x: Float32, gain: Float32, epsilon: float) -> Quantised:
    """RMSNorm with gain, then absmax int8; the root mean square affects only the scale.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    gain
        float32 ``[n]``.
    """
    row = quantise(multiply(x, gain))
    return Quantised(values=row.values, scale=multiply(row.scale, inverse_rms(x, epsilon)))


def head_norm(x: Float32, gain: Float32, epsilon: float) -> tuple[Float32, Float32]:
    """RMSNorm of heads of queries or keys, as rows and a factor that is not yet in them.

    The factor is multiplied into the scale of the rows once they are rotated and quantised:
    rotation does not change it.

    Parameters
    ----------
    x
        float32 ``[..., head_size]``.
    gain
        float32 ``[head_size]``.

    Returns
    -------
    rows, factor
        ``x * gain`` and the inverse root mean square ``[...]`` of ``x``.
    """
    return multiply(x, gain), inverse_rms(x, epsilon)


def quantise_cache(
    x: Float32, factor: Float32 | None = None
) -> tuple[Int8, npt.NDArray[np.uint16]]:
    """Absmax int8 of key or value rows, with bfloat16 bits of the scales.

    The scale is rounded up to bfloat16 before the row is divided by it.

    Parameters
    ----------
    x
        float32 ``[..., head_size]``.
    factor
        Float32 ``[...]`` by which the rows are multiplied, such as that of :func:`head_norm`.
    """
    scale = multiply(np.abs(x).max(axis=-1), INVERSE_LIMIT)
    bits = bfloat16_up(scale if factor is None else multiply(scale, factor))
    unit = reciprocal(bfloat16_value(bits))
    if factor is not None:
        # Finite: a scale that is not zero is at least 2^-126 before and after the factor.
        unit = multiply(unit, factor)
    return _round(x, unit[..., None]), bits


def quantise_rows(rows: Float32) -> tuple[Int8, Float32]:
    """Absmax int8 quantisation of the rows of an embedding or head, on the host.

    Float32 ``[n, d]`` to int8 ``[n, d]`` and float32 ``[n]``. A row of zeros has the scale 0.
    """
    rows = np.asarray(rows, np.float32)
    scale = (np.abs(rows).max(axis=-1) / LIMIT).astype(np.float32)
    divisor = np.where(scale < np.float32(2.0**-126), np.float32(1), scale)
    scale = flush(scale)
    values = np.clip(np.rint(rows / divisor[..., None]), -LIMIT, LIMIT).astype(np.int8)
    return np.where(scale[..., None] > 0, values, np.int8(0)), scale
