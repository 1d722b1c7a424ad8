"""Int8 quantisation of rows with a power of two per block of 64 columns."""

from dataclasses import dataclass

import numpy as np

from tercel.numerics.float32 import Float32, Int8, Int32, multiply
from tercel.numerics.functions import fields
from tercel.numerics.quantise import INVERSE_LIMIT, LIMIT, inverse_rms, quantisation_unit

__all__ = ["BLOCK", "MOST_SHIFT", "BlockQuantised", "block_quantise", "norm_block_quantise"]

BLOCK = 64
"""Columns of a block; the last one of a row has what remains."""
MOST_SHIFT = 7


@dataclass(frozen=True, kw_only=True)
class BlockQuantised:
    """Int8 rows with a shift per block and a scale per row.

    ``(values << shifts of the column's block) * scale[..., None]`` approximates the row.
    """

    values: Int8
    """``[..., n]``."""
    shifts: Int8
    """``[..., ceil(n / 64)]``, in 0..7."""
    scale: Float32
    """``[...]``."""

    def integers(self) -> Int32:
        """``values << shifts``, ``[..., n]``, of magnitudes up to 127 * 2^7."""
        return self.values.astype(np.int32) << _columns(self.shifts, self.values.shape[-1])


def block_quantise(x: Float32) -> BlockQuantised:
    """Quantise rows over the last axis; each block uses up to 7 more bits than the row's largest.

    A block is multiplied by the largest ``2^s``, s in 0..7, with which it does not exceed the
    largest magnitude of the row; its shift is ``7 - s``. A row of zeros has the scale 0.
    """
    largest = np.abs(x).max(axis=-1)
    bits = _block_bits(_block_maxima(x), largest)
    scaled = multiply(x, quantisation_unit(largest)[..., None])
    scaled = multiply(scaled, np.ldexp(np.float32(1), _columns(bits, x.shape[-1])))
    return BlockQuantised(
        values=np.clip(np.rint(scaled), -LIMIT, LIMIT).astype(np.int8),
        shifts=(MOST_SHIFT - bits).astype(np.int8),
        scale=multiply(multiply(largest, INVERSE_LIMIT), np.float32(2.0**-MOST_SHIFT)),
    )


def norm_block_quantise(x: Float32, gain: Float32, epsilon: float) -> BlockQuantised:
    """RMSNorm with gain, then :func:`block_quantise`; the root mean square is in the scale alone.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    gain
        float32 ``[n]``.
    """
    row = block_quantise(multiply(x, gain))
    scale = multiply(row.scale, inverse_rms(x, epsilon))
    return BlockQuantised(values=row.values, shifts=row.shifts, scale=scale)


def _block_maxima(x: Float32) -> Float32:
    """The largest magnitude ``[..., ceil(n / 64)]`` of each block."""
    return np.maximum.reduceat(np.abs(x), np.arange(0, x.shape[-1], BLOCK), axis=-1)


def _block_bits(maxima: Float32, largest: Float32) -> Int32:
    """The largest s in 0..7 with ``maximum * 2^s <= largest``, from the floats' fields."""
    _, exponent, mantissa = fields(maxima)
    _, top_exponent, top_mantissa = fields(largest[..., None])
    bits = top_exponent - exponent - (mantissa > top_mantissa)
    return np.where(exponent == 0, MOST_SHIFT, np.clip(bits, 0, MOST_SHIFT))


def _columns(blocks: Int32 | Int8, columns: int) -> Int32:
    """The value of each column's block, int32 ``[..., columns]``."""
    return np.repeat(blocks.astype(np.int32), BLOCK, axis=-1)[..., :columns]
