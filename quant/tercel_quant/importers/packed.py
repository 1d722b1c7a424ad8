"""The two-bit packing of BitNet checkpoints in Hugging Face transformers."""

import torch
from torch import Tensor

from tercel.errors import TercelError

__all__ = ["unpack"]

PER_BYTE = 4


def unpack(packed: Tensor, name: str) -> Tensor:
    """Unpack trits, four per byte.

    Bits ``2i`` and ``2i+1`` of byte row r hold ``trit + 1`` of row ``i*R + r``, where R is the
    number of byte rows (transformers ``integrations/bitnet.py``).

    Parameters
    ----------
    packed : Tensor, uint8, shape (rows / 4, columns)
    name : str
        For the error message.

    Returns
    -------
    Tensor, int8, shape (rows, columns)

    Raises
    ------
    TercelError
        If a code is 3, which is not a trit.
    """
    codes = torch.cat([(packed >> 2 * part) & 3 for part in range(PER_BYTE)])
    if codes.numel() and int(codes.max()) == 3:
        raise TercelError(f"{name} holds the two-bit code 3, which is no trit; the file is damaged")
    return codes.to(torch.int8) - 1
