"""Row-chunks: the bytes of a row of trits in one chunk, without and with multipliers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image.layout import CODES_A_GROUP, TapeLayout
from tercel.image.multiplier import (
    multiplier_bytes,
    multiplier_codes,
    multiplier_values,
    pack_multipliers,
    unpack_multipliers,
)
from tercel.numerics import GROUP

__all__ = ["EqualChunks", "GroupedChunks", "RowChunks"]

Bytes = npt.NDArray[np.uint8]
Trits = npt.NDArray[np.int8]
Multipliers = npt.NDArray[np.uint16]

HALF = GROUP // 2
"""Columns that are coded together: a group is two halves of 13 codes, 65 trits."""
LAST_DIGIT = 3**4
"""Weight of the last trit of a code, which is padding in the last code of a half."""


class RowChunks(Protocol):
    """The row-chunks of rows of one width."""

    sizes: tuple[int, ...]
    """Bytes of each row-chunk of a row."""

    def pack(self, trits: Trits, multipliers: Multipliers | None) -> list[Bytes]:
        """Row-chunks of rows ``[n, columns]``, one array ``[n, bytes]`` per chunk."""
        ...

    def trits(self, chunks: Sequence[Bytes]) -> Trits:
        """The trits ``[n, columns]`` of packed rows; an error if a code is corrupt."""
        ...


class EqualChunks:
    """Row-chunks of equal width, codes alone."""

    def __init__(self, layout: TapeLayout, columns: int):
        self._columns = columns
        self._code = layout.weight_code
        self._chunks = layout.chunks(columns)
        self.sizes = (self._chunks.bytes,) * self._chunks.count

    def pack(self, trits: Trits, multipliers: Multipliers | None) -> list[Bytes]:
        chunks, code = self._chunks, self._code
        padded = np.zeros((len(trits), chunks.count * chunks.codes * code.group), np.int8)
        padded[:, : self._columns] = trits
        packed = code.pack(code.encode(padded.reshape(len(trits), chunks.count, -1)))
        return list(packed.transpose(1, 0, 2))

    def trits(self, chunks: Sequence[Bytes]) -> Trits:
        packed = np.stack(chunks, axis=1)
        rows = self._code.decode(self._code.unpack(packed, self._chunks.codes))
        return rows.reshape(len(rows), -1)[:, : self._columns]


class GroupedChunks:
    """Row-chunks of whole groups: 26 codes a group, then a multiplier a group.

    Every row-chunk of a row has as many groups as the layout holds, but the last has what remains.
    """

    def __init__(self, layout: TapeLayout, columns: int):
        self._columns = columns
        self._code = layout.weight_code
        self.groups = -(-columns // GROUP)
        starts = range(0, self.groups, layout.groups)
        self._parts = [slice(i, min(i + layout.groups, self.groups)) for i in starts]
        self._counts = [part.stop - part.start for part in self._parts]
        self.sizes = tuple(CODES_A_GROUP * n + multiplier_bytes(n) for n in self._counts)

    def pack(self, trits: Trits, multipliers: Multipliers | None) -> list[Bytes]:
        assert multipliers is not None
        padded = np.zeros((len(trits), self.groups * GROUP), np.int8)
        padded[:, : self._columns] = trits
        halves = self._code.encode(padded.reshape(len(trits), -1, HALF))
        codes = halves.reshape(len(trits), self.groups, CODES_A_GROUP)
        scales = multiplier_codes(multipliers)
        return [
            np.concatenate(
                [codes[:, part].reshape(len(trits), -1), pack_multipliers(scales[:, part])], axis=1
            )
            for part in self._parts
        ]

    def trits(self, chunks: Sequence[Bytes]) -> Trits:
        codes = np.concatenate(
            [chunk[:, : CODES_A_GROUP * n] for chunk, n in zip(chunks, self._counts, strict=True)],
            axis=1,
        )
        halves = codes.reshape(len(codes), -1, CODES_A_GROUP // 2)
        trits = self._code.decode(halves)
        if np.any(halves[..., -1] // LAST_DIGIT != 1):
            raise TercelError("a weight code is corrupt: the last trit of 64 columns is not zero")
        return trits[..., :HALF].reshape(len(codes), -1)[:, : self._columns]

    def multipliers(self, chunks: Sequence[Bytes]) -> Multipliers:
        """The multipliers ``[n, groups]`` of packed rows.

        Raises
        ------
        TercelError
            If a filling bit after them is not zero.
        """
        codes = [
            unpack_multipliers(chunk[:, CODES_A_GROUP * n :], n)
            for chunk, n in zip(chunks, self._counts, strict=True)
        ]
        return multiplier_values(np.concatenate(codes, axis=1))
