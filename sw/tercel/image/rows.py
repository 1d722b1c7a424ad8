"""Int8 rows with scales to and from the bytes of their segment."""

import numpy as np
import numpy.typing as npt

from tercel.image.layout import ROW_BLOCK, TapeLayout
from tercel.image.segment import Segment

__all__ = ["fetch_rows", "place_rows", "take_rows"]

Rows = tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]


def place_rows(
    layout: TapeLayout,
    segment: Segment,
    content: npt.NDArray[np.uint8],
    values: npt.NDArray[np.int8],
    scales: npt.NDArray[np.float32],
) -> None:
    """Write all rows of a segment.

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
    rows = blocks["rows"][..., : segment.columns]
    rows[:whole] = values[:split].reshape(whole, ROW_BLOCK, segment.columns)
    blocks["scales"][:whole] = scales[:split].reshape(whole, ROW_BLOCK)
    if tail:
        rows[whole, :tail] = values[split:]
        blocks["scales"][whole, :tail] = scales[split:]


def take_rows(layout: TapeLayout, segment: Segment, content: npt.NDArray[np.uint8]) -> Rows:
    """All rows of a segment: int8 ``[rows, columns]`` and float32 ``[rows]``."""
    blocks = content.view(layout.row_block(segment.columns))
    values = blocks["rows"].reshape(-1, layout.padded(segment.columns))
    scales = blocks["scales"].reshape(-1)[: segment.rows]
    values = np.ascontiguousarray(values[: segment.rows, : segment.columns])
    return values, scales.astype(np.float32)


def fetch_rows(
    layout: TapeLayout,
    segment: Segment,
    tape: npt.NDArray[np.uint8],
    ids: npt.NDArray[np.int64],
) -> Rows:
    """The rows of some ids, read from their own words of the tape ``[ports, bytes per port]``."""
    ports = tape.reshape(layout.ports, -1, layout.port_bytes)

    def runs(first: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.uint8]:
        words = np.asarray(ports[:, first[:, None] + np.arange(count)])
        return words.transpose(1, 2, 0, 3).reshape(len(first), -1)

    block, row = np.divmod(ids, ROW_BLOCK)
    scale_words, row_words = layout.words(4 * ROW_BLOCK), layout.words(segment.columns)
    block_words = scale_words + ROW_BLOCK * row_words
    first = segment.first_word + block * block_words
    scales = runs(first, scale_words).view("<f4")[np.arange(len(ids)), row]
    values = runs(first + scale_words + row * row_words, row_words).view(np.int8)
    return values[:, : segment.columns].copy(), scales.astype(np.float32)
