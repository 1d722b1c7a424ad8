"""Conversion of ternary matrices to and from the bytes of their segment."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tercel.image.layout import TapeLayout
from tercel.image.matrix_form import Block
from tercel.image.row_chunk import GroupedChunks
from tercel.image.segment import Part, Segment

__all__ = [
    "GroupedRows",
    "fetch_grouped",
    "place_matrix",
    "take_matrix",
    "take_multipliers",
    "take_row_scales",
]

Bytes = npt.NDArray[np.uint8]
GroupedRows = tuple[npt.NDArray[np.int8], npt.NDArray[np.uint16], npt.NDArray[np.float32]]
"""Trits ``[n, columns]``, multipliers ``[n, groups]`` and row scales ``[n]``."""


def _blocks(
    layout: TapeLayout, segment: Segment, content: Bytes, part: Part
) -> Iterator[tuple[Block, slice, slice]]:
    """Each block with rows of the part, those rows in the part, and in the block."""
    for block in segment.form(layout).blocks(content, segment.rows):
        mine, theirs = _overlap(part, block.first, block.rows)
        if mine.start < mine.stop:
            yield block, mine, theirs


def _overlap(part: Part, first: int, rows: int) -> tuple[slice, slice]:
    """The part's rows within a block of ``rows`` rows from ``first``: in the part, in the block."""
    ends = [-(-(edge - part.start) // part.step) for edge in (first, first + rows)]
    start, stop = (min(max(end, 0), part.rows) for end in ends)
    in_block = part.start + start * part.step - first
    return slice(start, stop), slice(in_block, in_block + (stop - start) * part.step, part.step)


def _whole(segment: Segment) -> Part:
    return Part(name=segment.name, start=0, rows=segment.rows)


def place_matrix(
    layout: TapeLayout,
    segment: Segment,
    content: Bytes,
    part: Part,
    trits: npt.NDArray[np.int8],
    scales: npt.NDArray[np.float32] | None = None,
    multipliers: npt.NDArray[np.uint16] | None = None,
) -> None:
    """Write the rows of one part into a ternary segment.

    Parameters
    ----------
    content
        The segment's bytes in word order; changed in place.
    trits
        ``[part.rows, segment.columns]``.
    scales
        Row scales ``[part.rows]`` of a segment that has them.
    multipliers
        ``[part.rows, groups]`` of a segment that has them.

    Raises
    ------
    TercelError
        If a value is not -1, 0 or 1, or no multiplier; ``content`` may then be partly written.
    """
    row_chunks = segment.form(layout).row_chunks
    for block, mine, theirs in _blocks(layout, segment, content, part):
        groups = None if multipliers is None else multipliers[mine]
        for chunk, packed in zip(block.chunks, row_chunks.pack(trits[mine], groups), strict=True):
            chunk[theirs] = packed
        if block.scales is not None:
            assert scales is not None
            block.scales[theirs] = scales[mine]


def take_matrix(
    layout: TapeLayout, segment: Segment, content: Bytes, part: Part | None = None
) -> npt.NDArray[np.int8]:
    """Trits ``[rows, columns]`` of one part, or of the whole segment in its row order.

    Raises
    ------
    TercelError
        If a weight code is corrupt.
    """
    part = _whole(segment) if part is None else part
    row_chunks = segment.form(layout).row_chunks
    trits = np.empty((part.rows, segment.columns), np.int8)
    for block, mine, theirs in _blocks(layout, segment, content, part):
        trits[mine] = row_chunks.trits([chunk[theirs] for chunk in block.chunks])
    return trits


def take_row_scales(
    layout: TapeLayout, segment: Segment, content: Bytes, part: Part | None = None
) -> npt.NDArray[np.float32]:
    """Row scales ``[rows]`` of one part or of the whole segment, which has some."""
    part = _whole(segment) if part is None else part
    scales = np.empty(part.rows, np.float32)
    for block, mine, theirs in _blocks(layout, segment, content, part):
        assert block.scales is not None
        scales[mine] = block.scales[theirs]
    return scales


def take_multipliers(
    layout: TapeLayout, segment: Segment, content: Bytes, part: Part | None = None
) -> npt.NDArray[np.uint16]:
    """Multipliers ``[rows, groups]`` of one part or of the whole segment, which has some.

    Raises
    ------
    TercelError
        If the bits after them are not zero.
    """
    part = _whole(segment) if part is None else part
    row_chunks = segment.form(layout).row_chunks
    assert isinstance(row_chunks, GroupedChunks)
    multipliers = np.empty((part.rows, row_chunks.groups), np.uint16)
    for block, mine, theirs in _blocks(layout, segment, content, part):
        multipliers[mine] = row_chunks.multipliers([chunk[theirs] for chunk in block.chunks])
    return multipliers


def fetch_grouped(
    layout: TapeLayout,
    segment: Segment,
    read: Callable[[int, int], Bytes],
    ids: npt.NDArray[np.int64],
) -> GroupedRows:
    """The rows of ``ids`` ``[n]`` of a segment with groups, reading only their blocks.

    Parameters
    ----------
    read
        Returns the bytes of so many words from a word of the segment on.

    Raises
    ------
    TercelError
        If a code or multiplier of one of the rows is corrupt.
    """
    form = segment.form(layout)
    row_chunks = form.row_chunks
    assert isinstance(row_chunks, GroupedChunks)
    trits = np.empty((len(ids), segment.columns), np.int8)
    multipliers = np.empty((len(ids), row_chunks.groups), np.uint16)
    scales = np.empty(len(ids), np.float32)
    numbers = ids // layout.block_rows
    for number in np.unique(numbers):
        first = int(number) * layout.block_rows
        rows = min(layout.block_rows, segment.rows - first)
        word = layout.words(int(number) * form.block_bytes(layout.block_rows))
        content = read(word, layout.words(form.block_bytes(rows)))
        block = form.block(content, first, rows)
        assert block.scales is not None
        (mine,) = np.nonzero(numbers == number)
        theirs = ids[mine] - first
        chunks = [chunk[theirs] for chunk in block.chunks]
        trits[mine] = row_chunks.trits(chunks)
        multipliers[mine] = row_chunks.multipliers(chunks)
        scales[mine] = block.scales[theirs]
    return trits, multipliers, scales
