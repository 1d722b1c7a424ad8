"""Token files and the batches drawn from them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tercel.errors import TercelError

__all__ = ["TokenFile"]


class TokenFile:
    """A flat file of little-endian uint16 token ids, read through a memory map.

    Parameters
    ----------
    path : Path
    vocab_size : int
        Exclusive upper bound of the ids in a batch.

    Raises
    ------
    TercelError
        If the file is missing or its size is odd.
    """

    def __init__(self, path: Path, *, vocab_size: int):
        self.path = Path(path)
        self.vocab_size = vocab_size
        if not self.path.is_file():
            raise TercelError(f"there is no token file {self.path}; tokenise the corpus first")
        if (size := self.path.stat().st_size) == 0 or size % 2:
            raise TercelError(
                f"a token file holds two bytes a token, but {self.path} has {size} bytes; "
                "write it again"
            )
        self.tokens = np.memmap(self.path, dtype="<u2", mode="r")

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, *, seed: int, step: int, batch_size: int, length: int) -> Tensor:
        """Windows for one update: a pure function of the arguments and the file.

        An epoch visits every window once, in an order drawn from (seed, epoch). The offset of its
        first window is drawn from the same, so that epochs cut the text differently.

        Parameters
        ----------
        seed, step : int
        batch_size : int
            Windows.
        length : int
            Inputs in a window; the window has one token more, the last target.

        Returns
        -------
        Tensor, int64, shape (batch_size, length + 1)

        Raises
        ------
        TercelError
            If the file is shorter than a batch, or holds a token outside the vocabulary.
        """
        windows = (len(self) - length) // length
        if windows < batch_size:
            raise TercelError(
                f"{self.path} has {len(self)} tokens, fewer than a batch of {batch_size} windows "
                f"of {length} needs; make the batch or the windows smaller"
            )
        epoch, position = divmod(step, windows // batch_size)
        generator = np.random.Generator(np.random.PCG64([seed, epoch, length]))
        offset = int(generator.integers(0, length))
        order = generator.permutation(windows)[position * batch_size : (position + 1) * batch_size]
        return self._windows(offset + order * length, length + 1)

    def sequential(self, *, length: int, limit: int | None = None) -> Tensor:
        """Consecutive windows from the start of the file, for evaluation.

        Returns
        -------
        Tensor, int64, shape (windows, length + 1)
            At most ``limit`` windows. Neighbours share one token, so every token but the first is
            predicted once. An incomplete last window is dropped.
        """
        windows = (len(self) - 1) // length
        if windows == 0:
            raise TercelError(
                f"{self.path} has {len(self)} tokens, fewer than one window of {length} needs"
            )
        windows = windows if limit is None else min(windows, limit)
        return self._windows(np.arange(windows) * length, length + 1)

    def _windows(self, starts: np.ndarray, size: int) -> Tensor:
        rows = self.tokens[starts[:, None] + np.arange(size)].astype(np.int64)
        if (largest := int(rows.max())) >= self.vocab_size:
            raise TercelError(
                f"{self.path} has the token {largest}, but the vocabulary has {self.vocab_size}; "
                "tokenise it with the model's own tokenizer"
            )
        return torch.from_numpy(rows)
