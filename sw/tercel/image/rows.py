"""Conversion of int8 rows and their scales to and from the bytes of their segment."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tercel.image.layout import ROW_BLOCK, TapeLayout
from tercel.image.segment import Segment
from tercel.image.striping import interleave, split_words

__all__ = ["fetch_rows", "place_rows", "take_rows"]

Rows = tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]


def place_rows(
    layout: TapeLayout,
    segment: Segment,
    content: npt.NDArray[np.uint8],
    values: npt.NDArray[np.int8],
    scales: npt.NDArray[np.float32],
) -> None:
    """Write all rows of a segment and their scales.

    Parameters
    ----------
    content
        The segment's bytes in word order; changed in place.
    values, scales
        ``[segment.rows, segment.columns]`` and ``[segment.rows]``.
    """
    blocks = content.view(layout.row_block(segment.columns))
    whole, tail = divmod(segment.rows, ROW_BLOCK)
    split = whole * ROW_BLOCK
    blocks["scales"][:whole] = scales[:split].reshape(whole, ROW_BLOCK)
    for index, part in _slices(layout, segment.columns):
        width = part.stop - part.start
        target = blocks["slices"][:, index, :, :width]
        target[:whole] = values[:split, part].reshape(whole, ROW_BLOCK, width)
        if tail:
            target[whole, :tail] = values[split:, part]
    if tail:
        blocks["scales"][whole, :tail] = scales[split:]


def take_rows(layout: TapeLayout, segment: Segment, content: npt.NDArray[np.uint8]) -> Rows:
    """All rows of a segment: int8 ``[rows, columns]`` and float32 ``[rows]``."""
    blocks = content.view(layout.row_block(segment.columns))
    values = np.empty((len(blocks) * ROW_BLOCK, segment.columns), np.int8)
    for index, part in _slices(layout, segment.columns):
        width = part.stop - part.start
        values[:, part] = blocks["slices"][:, index, :, :width].reshape(len(values), width)
    scales = blocks["scales"].reshape(-1)[: segment.rows]
    return values[: segment.rows], scales.astype(np.float32)


def fetch_rows(
    layout: TapeLayout,
    segment: Segment,
    tape: npt.NDArray[np.uint8],
    ids: npt.NDArray[np.int64],
) -> Rows:
    """The rows ``[n, columns]`` of ``ids`` ``[n]``, reading only their words of the tape.

    The tape is uint8 ``[ports, bytes per port]``.
    """
    ports = split_words(tape, layout.port_bytes)

    def gather(words: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Bytes ``[n, count * word bytes]`` of the words with indices ``[n, count]``."""
        found = interleave([port[words] for port in ports])
        return found.reshape(len(words), words.shape[1] * layout.word_bytes)

    block, row = np.divmod(ids, ROW_BLOCK)
    scale_words, row_words = layout.words(4 * ROW_BLOCK), layout.words(segment.columns)
    first = segment.first_word + block * (scale_words + ROW_BLOCK * row_words)
    scales = gather(first[:, None] + np.arange(scale_words)).view("<f4")[np.arange(len(ids)), row]
    slices = (first + scale_words + row)[:, None] + ROW_BLOCK * np.arange(row_words)
    values = gather(slices).view(np.int8)
    return values[:, : segment.columns].copy(), scales.astype(np.float32)


def _slices(layout: TapeLayout, columns: int) -> Iterator[tuple[int, slice]]:
    """Index and columns of each slice of a row."""
    width = layout.word_bytes
    for index, start in enumerate(range(0, columns, width)):
        yield index, slice(start, min(start + width, columns))
