"""Ternary matrices, with one scale or several."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tercel_quant.group_scales import GROUP, spread

__all__ = ["GroupedTernary", "Ternary", "recognise"]

FINEST = 16
"""Fewest columns of a group that is detected; published models have 32 to 256."""
SAMPLE, ROWS = 8, 256
"""Rows of the quick test that rejects ordinary float matrices, and rows examined together."""


@dataclass(frozen=True, kw_only=True)
class Ternary:
    """A matrix of trits as the device holds it; the weights are ``integers() * scale``."""

    trits: Tensor
    """int8, shape (rows, columns), values -1, 0, 1."""
    scale: float | Tensor
    """One for the matrix, or float32 of shape (rows,)."""
    multipliers: Tensor | None = None
    """int32, shape (rows, groups): a factor of each 128 columns; ``scale`` is then one a row."""

    @property
    def granularity(self) -> str:
        """Description of the scale, for messages."""
        if self.multipliers is not None:
            return f"one scale per group of {GROUP} columns"
        return "one scale" if isinstance(self.scale, float) else "one scale per row"

    def integers(self) -> Tensor:
        """Trits times multipliers, float32, shape (rows, columns)."""
        if self.multipliers is None:
            return self.trits.float()
        return self.trits * spread(self.multipliers.float(), self.trits.shape[1])

    def dequantise(self) -> Tensor:
        """float32, shape (rows, columns)."""
        return self.integers() * (
            self.scale[:, None] if isinstance(self.scale, Tensor) else self.scale
        )


@dataclass(frozen=True, kw_only=True)
class GroupedTernary:
    """A matrix of trits with a scale for each of equal blocks, as a checkpoint has it.

    A block is a row, some columns of a row, some rows, or some columns of the matrix.
    """

    trits: Tensor
    """int8, shape (rows, columns), values -1, 0, 1."""
    scales: Tensor
    """float32, shape (rows / rows of a block, columns / columns of a block)."""

    def dequantise(self) -> Tensor:
        """float32, shape (rows, columns)."""
        height, width = self.block
        scales = self.scales.repeat_interleave(height, 0).repeat_interleave(width, 1)
        return self.trits.float() * scales

    @property
    def granularity(self) -> str:
        """Description of the blocks, for messages."""
        (rows, columns), (height, width) = self.trits.shape, self.block
        if width == columns:
            return "one scale per row" if height == 1 else f"one scale per shard of {height} rows"
        if height == rows:
            return f"one scale per shard of {width} columns"
        if height == 1:
            return f"one scale per group of {width} columns"
        return f"one scale per block of {height} x {width}"

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a block."""
        return (
            self.trits.shape[0] // self.scales.shape[0],
            self.trits.shape[1] // self.scales.shape[1],
        )


def recognise(weight: Tensor) -> Ternary | GroupedTernary | None:
    """The trits and scales of a float matrix with ternary values, else ``None``.

    Every block of a ternary matrix has exactly the values ``-s, 0, s``. The largest equal blocks
    are found for which this holds: as many columns as possible, then as many rows.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
        A matrix of zeros is ternary with scale 0.
    """
    rows, columns = weight.shape
    # Very small blocks would match any matrix.
    widths = [width for width in _divisors(columns) if width % FINEST == 0] or [columns]
    if _row_scales(weight[:SAMPLE], widths[-1]) is None:
        return None
    scales = next((found for w in widths if (found := _row_scales(weight, w)) is not None), None)
    if scales is None:
        return None
    # Rows with equal scales form one block; the last height tried is 1, which always matches.
    heights = (_block_scales(scales, height, 1) for height in _divisors(rows))
    scales = next(joined for joined in heights if joined is not None)
    trits = weight.sign().char()
    if scales.numel() == 1:
        return Ternary(trits=trits, scale=float(scales))
    return GroupedTernary(trits=trits, scales=scales)


def _row_scales(weight: Tensor, width: int) -> Tensor | None:
    """The only non-zero magnitude in each ``width`` columns of a row; ``None`` if one has two."""
    parts = []
    for part in weight.split(ROWS):
        if (scales := _block_scales(part.abs(), 1, width)) is None:
            return None
        parts.append(scales)
    return torch.cat(parts)


def _block_scales(magnitudes: Tensor, height: int, width: int) -> Tensor | None:
    """The only non-zero magnitude in each block, 0 for a block of zeros.

    The result is ``None`` if a block has two magnitudes.
    """
    rows, columns = magnitudes.shape
    blocks = magnitudes.reshape(rows // height, height, columns // width, width)
    scales = blocks.amax((1, 3))
    exact = (blocks == scales[:, None, :, None]) | (blocks == 0)
    return scales if bool(exact.all()) else None


def _divisors(count: int) -> list[int]:
    """All divisors, largest first."""
    small = {size for size in range(1, math.isqrt(count) + 1) if count % size == 0}
    return sorted(small | {count // size for size in small}, reverse=True)
