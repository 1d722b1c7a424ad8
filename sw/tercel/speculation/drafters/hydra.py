"""A recurrent head: each drafted token changes the state from which the next one is guessed."""

from collections.abc import Mapping
from copy import copy

import numpy.typing as npt

from tercel.device import Device
from tercel.image import Image
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.head_arithmetic import Vector, silu, token_table
from tercel.speculation.drafters.head_drafter import HeadDrafter
from tercel.speculation.drafters.int8_matrix import read_array, read_matrix
from tercel.speculation.drafters.trimmed_head import TrimmedHead

__all__ = ["KIND", "HydraDrafter"]

KIND = "hydra"
"""Kind of the file."""


class Cell:
    """One step of the recurrence, ``B [s; e] + O silu(A [s; e] + c)``.

    The products of ``A`` and ``B`` with the embeddings ``e`` of all tokens are a table.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray], name: str, image: Image):
        self._tokens = token_table(image, read_matrix(tensors, f"{name}.token"))
        self._tokens += read_array(tensors, f"{name}.bias")
        self._state = read_matrix(tensors, f"{name}.state")
        self._output = read_matrix(tensors, f"{name}.output")
        self._inner = len(self._output)

    def __call__(self, state: Vector, token: int) -> Vector:
        sums = state @ self._state
        sums += self._tokens[token]
        return sums[self._inner :] + silu(sums[: self._inner]) @ self._output


class HydraDrafter(HeadDrafter):
    """Sequentially dependent heads (Hydra, arXiv 2402.05109) as one recurrent cell.

    The first step, from the hidden state and the root, has matrices of its own.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray], image: Image, *, least: float = 0.2):
        super().__init__(TrimmedHead(tensors), least=least)
        self._cells = Cell(tensors, "first", image), Cell(tensors, "next", image)

    @classmethod
    def open(cls, image: Image, device: Device) -> "HydraDrafter":
        """The drafter of the file beside an image.

        Raises
        ------
        TercelError
            If there is none, or it does not belong to the model.
        """
        file = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        return cls(file.tensors, image)

    def share(self) -> "HydraDrafter":
        """A drafter with the same arrays and no text."""
        other = copy(self)
        other.reset()
        return other

    def _first(self, hidden: Vector, root: int) -> Vector:
        return self._cells[0](hidden, root)

    def _next(self, state: Vector, token: int, depth: int) -> Vector:
        return self._cells[1](state, token)
