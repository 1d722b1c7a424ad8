"""Trits of BitNet checkpoints, four rows in a byte."""

import numpy as np
import numpy.typing as npt

__all__ = ["PER_BYTE", "pack"]

PER_BYTE = 4


def pack(trits: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Bytes ``[rows / 4, columns]`` of trits ``[rows, columns]``.

    Bits ``2i`` and ``2i+1`` of byte row r hold ``trit + 1`` of row ``i * rows / 4 + r``
    (transformers ``integrations/bitnet.py``).
    """
    codes = (trits + 1).astype(np.uint8).reshape(PER_BYTE, -1, trits.shape[1])
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None, None]
    return np.bitwise_or.reduce(codes << shifts, axis=0)
