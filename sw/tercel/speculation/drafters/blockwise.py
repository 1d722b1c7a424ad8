"""Heads of blockwise parallel decoding: one feed-forward layer for all, and a chain."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.device import Device
from tercel.image import Image
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.head_arithmetic import Vector, silu, token_table
from tercel.speculation.drafters.head_drafter import HeadDrafter
from tercel.speculation.drafters.int8_matrix import read_array, read_matrix
from tercel.speculation.drafters.trimmed_head import TrimmedHead

__all__ = ["KIND", "BlockwiseDrafter"]

KIND = "blockwise"
"""Kind of the file."""


class BlockwiseDrafter(HeadDrafter):
    """Blockwise parallel decoding (Stern et al., 2018): a chain of one guess a head.

    Head k's state is ``h + O_k silu(A h + b)``, by default with the root's embedding in the layer.
    The hidden state comes from the pass that verified the draft before (the merged scheme), so a
    round is one pass.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray], image: Image, *, least: float = 0.1):
        super().__init__(TrimmedHead(tensors), least=least)
        self._map = read_matrix(tensors, "state")
        self._bias = read_array(tensors, "bias")
        self._block = read_matrix(tensors, "block")
        self._roots = None
        if "token" in tensors:
            self._roots = token_table(image, read_matrix(tensors, "token"))
        self._states = np.zeros((0, 0), np.float32)

    @classmethod
    def open(cls, image: Image, device: Device) -> "BlockwiseDrafter":
        """The drafter of the file beside an image.

        Raises
        ------
        TercelError
            If there is none, or it does not belong to the model.
        """
        file = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        return cls(file.tensors, image)

    def _first(self, hidden: Vector, root: int) -> Vector:
        sums = hidden @ self._map + self._bias
        if self._roots is not None:
            sums += self._roots[root]
        self._states = hidden + (silu(sums) @ self._block).reshape(-1, len(hidden))
        return self._states[0]

    def _next(self, state: Vector, token: int, depth: int) -> Vector:
        return self._states[depth]

    def _guess(self, *node, most: int, **draw) -> list[tuple[int, float]]:
        return super()._guess(*node, most=1, **draw)
