"""Multipliers of groups: unsigned integers of ten bits, floating point with an 8-bit significand.

A code has an exponent ``e`` in its two upper bits and ``f`` in the lower eight. Its value is ``f``
for ``e = 0``, else ``(256 + f) << (e - 1)``: 0..2044 in steps of at most 1/256 from 256 on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.numerics import flush

__all__ = [
    "MOST_MULTIPLIER",
    "GroupScales",
    "multiplier_bytes",
    "multiplier_codes",
    "multiplier_values",
    "pack_multipliers",
    "quantise_scales",
    "unpack_multipliers",
]

BITS = 10
FRACTION_BITS = 8
MOST_MULTIPLIER = 2044
"""The largest multiplier."""
PRECISE = 1 / 8
"""Scales from this part of their row's largest one on are met within 0.2 %."""
TOPS = range(MOST_MULTIPLIER, 1916, -4)
"""Multipliers of a row's largest scale that are tried."""
TILE_GROUPS = 1 << 16
"""Groups that are quantised at a time."""

Multipliers = npt.NDArray[np.uint16]


def multiplier_values(codes: Multipliers) -> Multipliers:
    """The multipliers of codes below 1024."""
    exponent, fraction = codes >> FRACTION_BITS, codes & 0xFF
    normal = (fraction | 0x100) << np.maximum(exponent, 1) - 1
    return np.where(exponent == 0, fraction, normal).astype(np.uint16)


def multiplier_codes(values: Multipliers) -> Multipliers:
    """Inverse of :func:`multiplier_values`.

    Raises
    ------
    TercelError
        If a value is no multiplier.
    """
    step = _step(values)
    if values.size and (np.any(values > MOST_MULTIPLIER) or np.any(values % step)):
        wrong = values[(values > MOST_MULTIPLIER) | (values % step > 0)]
        raise TercelError(
            f"multipliers must be 0..512, even up to 1024, then multiples of 4 up to "
            f"{MOST_MULTIPLIER}, but one is {wrong.flat[0]}; "
            "tercel.image.quantise_scales makes them of real scales"
        )
    exponent = np.where(values < 256, 0, np.where(values < 512, 1, np.where(values < 1024, 2, 3)))
    fraction = np.where(values < 256, values, (values // step) & 0xFF)
    return (exponent << FRACTION_BITS | fraction).astype(np.uint16)


def _step(values: npt.NDArray) -> npt.NDArray:
    """The distance of neighbouring multipliers at values in 0..2044."""
    return np.where(values < 512, 1, np.where(values < 1024, 2, 4)).astype(values.dtype)


def multiplier_bytes(count: int) -> int:
    """Bytes of ``count`` packed multipliers."""
    return -(-count * BITS // 8)


def pack_multipliers(codes: Multipliers) -> npt.NDArray[np.uint8]:
    """Bytes ``[..., multiplier_bytes(n)]`` of codes ``[..., n]``, the first in the lowest bits."""
    bits = codes[..., None] >> np.arange(BITS, dtype=np.uint16) & 1
    bits = bits.astype(np.uint8).reshape(*codes.shape[:-1], -1)
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack_multipliers(packed: npt.NDArray[np.uint8], count: int) -> Multipliers:
    """Inverse of :func:`pack_multipliers`: bytes to codes ``[..., count]``.

    Raises
    ------
    TercelError
        If a filling bit is not zero.
    """
    bits = np.unpackbits(packed, axis=-1, bitorder="little")
    used = count * BITS
    if bits[..., used:].any():
        raise TercelError("a row-chunk is corrupt: the bits after its last multiplier are not zero")
    digits = bits[..., :used].reshape(*packed.shape[:-1], count, BITS).astype(np.uint16)
    return (digits << np.arange(BITS, dtype=np.uint16)).sum(axis=-1, dtype=np.uint16)


@dataclass(frozen=True, kw_only=True)
class GroupScales:
    """Scales of groups as ``multipliers * row_scale[:, None]``."""

    row_scale: npt.NDArray[np.float32]
    """``[rows]``."""
    multipliers: Multipliers
    """``[rows, groups]``."""

    def values(self) -> npt.NDArray[np.float64]:
        """The scales ``[rows, groups]``."""
        return self.multipliers * self.row_scale[:, None].astype(np.float64)

    def relative_errors(self, scales: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Distance from the scales that were meant, relative to them; 0 where those are 0."""
        scales = np.asarray(scales, np.float64)
        return np.abs(self.values() - scales) / np.where(scales > 0, scales, 1)


def quantise_scales(scales: npt.ArrayLike) -> GroupScales:
    """Multipliers and row scales nearest to real scales of groups.

    A scale of at least an eighth of the largest of its row is met within 0.2 %; a smaller one
    within 1/4088 of that largest. Of several row scales that which makes the worst of these errors
    smallest is taken. A row whose scales are equal is exact but for the rounding of its float32.

    Parameters
    ----------
    scales
        ``[rows, groups]``, finite, not negative; rounded to float32.

    Raises
    ------
    TercelError
        If a scale breaks this rule.
    """
    with np.errstate(over="ignore"):
        scales = flush(np.asarray(scales, np.float32))
    if scales.ndim != 2:
        raise TercelError(f"group scales must be [rows, groups], not of shape {scales.shape}")
    if not np.isfinite(scales).all() or (scales < 0).any():
        raise TercelError("group scales must be finite and not negative")
    rows, groups = scales.shape
    row_scale = np.zeros(rows, np.float32)
    multipliers = np.zeros((rows, groups), np.uint16)
    step = max(1, TILE_GROUPS // groups)
    for start in range(0, rows, step):
        tile = slice(start, start + step)
        row_scale[tile], multipliers[tile] = _quantise_tile(scales[tile].astype(np.float64))
    return GroupScales(row_scale=row_scale, multipliers=multipliers)


def _quantise_tile(
    scales: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float32], Multipliers]:
    largest = scales.max(axis=1, keepdims=True)
    precise = np.maximum(scales, largest * PRECISE)
    precise[largest[:, 0] == 0] = 1
    best = np.full(len(scales), np.inf)
    row_scale = np.zeros((len(scales), 1), np.float32)
    multipliers = np.zeros(scales.shape, np.uint16)
    for top in TOPS:
        unit = flush((largest / top).astype(np.float32))
        found = _nearest(scales / np.where(unit > 0, unit, 1).astype(np.float64))
        error = (np.abs(found * unit.astype(np.float64) - scales) / precise).max(axis=1)
        better = error < best
        best[better], row_scale[better], multipliers[better] = (
            error[better],
            unit[better],
            found[better],
        )
    return row_scale[:, 0], multipliers


def _nearest(x: npt.NDArray[np.float64]) -> Multipliers:
    """The multipliers nearest to real numbers from 0 on."""
    step = _step(x)
    return np.minimum(np.rint(x / step) * step, MOST_MULTIPLIER).astype(np.uint16)
