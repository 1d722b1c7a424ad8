"""Conversion of ternary matrices to and from the bytes of their segment."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tercel.image.layout import TapeLayout
from tercel.image.segment import Part, Segment

__all__ = ["place_matrix", "take_matrix"]


def _blocks(
    layout: TapeLayout, segment: Segment, content: npt.NDArray[np.uint8]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """First row and view ``[chunks, rows of the block, chunk bytes]`` of each block."""
    chunks = layout.chunks(segment.columns)
    row_bytes = chunks.count * chunks.bytes
    for first in range(0, segment.rows, layout.block_rows):
        last = min(first + layout.block_rows, segment.rows)
        block = content[first * row_bytes : last * row_bytes]
        yield first, block.reshape(chunks.count, last - first, chunks.bytes)


def _overlap(part: Part, first: int, rows: int) -> tuple[slice, slice]:
    """The part's rows within a block of ``rows`` rows from ``first``: in the part, in the block."""
    ends = [-(-(edge - part.start) // part.step) for edge in (first, first + rows)]
    start, stop = (min(max(end, 0), part.rows) for end in ends)
    in_block = part.start + start * part.step - first
    return slice(start, stop), slice(in_block, in_block + (stop - start) * part.step, part.step)


def place_matrix(
    layout: TapeLayout,
    segment: Segment,
    content: npt.NDArray[np.uint8],
    part: Part,
    trits: npt.NDArray[np.int8],
) -> None:
    """Write the rows of one part into a ternary segment.

    Parameters
    ----------
    content
        The segment's bytes in word order; changed in place.
    trits
        ``[part.rows, segment.columns]``.

    Raises
    ------
    TercelError
        If a value is not -1, 0 or 1; ``content`` may then be partly written.
    """
    code, chunks = layout.weight_code, layout.chunks(segment.columns)
    padded = chunks.count * chunks.codes * code.group
    for first, block in _blocks(layout, segment, content):
        mine, theirs = _overlap(part, first, block.shape[1])
        if mine.start == mine.stop:
            continue
        rows = np.zeros((mine.stop - mine.start, padded), np.int8)
        rows[:, : segment.columns] = trits[mine]
        packed = code.pack(code.encode(rows.reshape(len(rows), chunks.count, -1)))
        block[:, theirs] = packed.transpose(1, 0, 2)


def take_matrix(
    layout: TapeLayout,
    segment: Segment,
    content: npt.NDArray[np.uint8],
    part: Part | None = None,
) -> npt.NDArray[np.int8]:
    """Trits ``[rows, columns]`` of one part, or of the whole segment in its row order.

    Raises
    ------
    TercelError
        If a weight code is corrupt.
    """
    code, chunks = layout.weight_code, layout.chunks(segment.columns)
    part = Part(name=segment.name, start=0, rows=segment.rows) if part is None else part
    trits = np.empty((part.rows, segment.columns), np.int8)
    for first, block in _blocks(layout, segment, content):
        mine, theirs = _overlap(part, first, block.shape[1])
        if mine.start == mine.stop:
            continue
        packed = np.ascontiguousarray(block[:, theirs].transpose(1, 0, 2))
        rows = code.decode(code.unpack(packed, chunks.codes))
        trits[mine] = rows.reshape(len(rows), -1)[:, : segment.columns]
    return trits
