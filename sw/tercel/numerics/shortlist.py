"""The first stage of a two-stage head: the rows whose exact logits the second stage computes."""

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32, Int32

__all__ = ["DEPTH", "shortlist"]

DEPTH = 4
"""Rows that a node keeps of each bucket."""


def shortlist(scores: Float32, size: int) -> Int32:
    """Rows that each node lists, int32 ``[N, min(size, rows)]``.

    Row r is in the bucket ``r mod (size / 4)``. Of each bucket a node lists the four rows with the
    highest scores, ties to the lower row. The list goes bucket by bucket, in each by rising row.

    Parameters
    ----------
    scores
        ``[N, rows]``; ``-0.0`` equals ``0.0``.
    size
        Rows of a list, a multiple of 4.
    """
    nodes, rows = scores.shape
    buckets = size // DEPTH
    stripes = max(DEPTH, -(-rows // buckets))
    keys = np.full((nodes, stripes * buckets), np.iinfo(np.int64).min)
    keys[:, :rows] = (_order(scores) << 32) - np.arange(rows)  # a row only parts equal scores
    by_bucket = np.ascontiguousarray(keys.reshape(nodes, stripes, buckets).transpose(0, 2, 1))
    best = np.argpartition(by_bucket, stripes - DEPTH, axis=-1)[..., -DEPTH:]
    listed = np.sort(best, axis=-1) * buckets + np.arange(buckets)[:, None]
    return listed[listed < rows].reshape(nodes, -1).astype(np.int32)


def _order(scores: Float32) -> npt.NDArray[np.int64]:
    """Integers in the order of floats, int64."""
    bits = (scores + np.float32(0.0)).view(np.int32)  # the sum turns -0.0 into 0.0
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
