"""The form of a ternary matrix on the tape: blocks of rows, each of row scales and row-chunks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image.layout import CODES_A_GROUP, TapeLayout
from tercel.image.row_chunk import EqualChunks, GroupedChunks, RowChunks

__all__ = ["Block", "MatrixForm"]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Views of the bytes of one block of rows."""

    first: int
    """First row."""
    rows: int
    scales: npt.NDArray[np.float32] | None
    """Row scales ``[rows]``; ``None`` in a matrix of one scale."""
    chunks: list[npt.NDArray[np.uint8]]
    """Row-chunks ``[rows, bytes]`` of each chunk."""


@dataclass(frozen=True, kw_only=True)
class MatrixForm:
    """The form of matrices of one granularity and width.

    Raises
    ------
    TercelError
        If the granularity is ``group`` and the layout has no row-chunks of groups.
    """

    layout: TapeLayout
    granularity: str
    """``tensor``, ``row`` or ``group``."""
    columns: int

    def __post_init__(self):
        if self.granularity == "group" and not self.layout.groups:
            raise TercelError(
                f"a matrix with groups needs a layout with the code base3 and at least "
                f"{CODES_A_GROUP} tables, not {self.layout.code} with {self.layout.tables}; "
                "take the layout kv260-groups"
            )

    @cached_property
    def row_chunks(self) -> RowChunks:
        kind = GroupedChunks if self.granularity == "group" else EqualChunks
        return kind(self.layout, self.columns)

    @property
    def scaled(self) -> bool:
        """True if every row has a scale of its own, before the row-chunks of its block."""
        return self.granularity != "tensor"

    def block_bytes(self, rows: int) -> int:
        """Bytes of a block of ``rows`` rows, up to the start of the next one."""
        codes = rows * sum(self.row_chunks.sizes)
        return self._scale_bytes(rows) + self.layout.padded(codes) if self.scaled else codes

    def matrix_bytes(self, rows: int) -> int:
        """Bytes of a matrix of ``rows`` rows."""
        whole, rest = divmod(rows, self.layout.block_rows)
        return whole * self.block_bytes(self.layout.block_rows) + self.block_bytes(rest)

    def blocks(self, content: npt.NDArray[np.uint8], rows: int) -> Iterator[Block]:
        """Views of each block of a matrix of ``rows`` rows, whose bytes are ``content``."""
        start = 0
        for first in range(0, rows, self.layout.block_rows):
            count = min(self.layout.block_rows, rows - first)
            end = start + self.block_bytes(count)
            yield self.block(content[start:end], first, count)
            start = end

    def block(self, content: npt.NDArray[np.uint8], first: int, rows: int) -> Block:
        """Views of the block of ``rows`` rows from ``first``, whose bytes are ``content``."""
        scales, at = None, 0
        if self.scaled:
            scales, at = content[: 4 * rows].view("<f4"), self._scale_bytes(rows)
        chunks = []
        for size in self.row_chunks.sizes:
            chunks.append(content[at : at + rows * size].reshape(rows, size))
            at += rows * size
        return Block(first=first, rows=rows, scales=scales, chunks=chunks)

    def _scale_bytes(self, rows: int) -> int:
        return self.layout.padded(4 * rows)
