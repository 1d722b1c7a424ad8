"""Medusa heads: one residual block a depth, and a static tree."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.device import Device
from tercel.image import Image
from tercel.sampling import SamplingConfig
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.head_arithmetic import Vector, silu, token_table
from tercel.speculation.drafters.head_drafter import HeadDrafter
from tercel.speculation.drafters.int8_matrix import read_array, read_matrix
from tercel.speculation.drafters.trimmed_head import TrimmedHead

__all__ = ["KIND", "MedusaDrafter"]

KIND = "medusa"
"""Kind of the file."""


class MedusaDrafter(HeadDrafter):
    """Medusa (arXiv 2401.10774): head k guesses the k-th token after the root from one state.

    A state is ``y + silu(A y + b)``. Trained as published, ``y`` is the hidden state from which the
    root was drawn; by default it is a map of that and the root. All states are computed at once.

    The tree is static: the nodes with the highest product of the accuracies that the ranks along
    their paths had on held-out text. A rank is the place of a draw among the guesses.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray], image: Image, *, least: float = 0.1):
        super().__init__(TrimmedHead(tensors), least=least)
        self._bias = read_array(tensors, "bias")
        levels, width = self._bias.shape
        self._block = read_matrix(tensors, "block").reshape(levels, width, width)
        self._input_map, self._roots = None, None
        if "state" in tensors:
            state = read_matrix(tensors, "state").reshape(levels, width, width)
            self._input_map = np.concatenate(list(state), axis=1)
            token = read_matrix(tensors, "token").reshape(levels, width, width)
            self._roots = token_table(image, np.concatenate(list(token), axis=1))
        self._states = np.zeros((levels, width), np.float32)
        self._accuracy = np.minimum.accumulate(read_array(tensors, "accuracy"), axis=2).tolist()

    @classmethod
    def open(cls, image: Image, device: Device) -> "MedusaDrafter":
        """The drafter of the file beside an image.

        Raises
        ------
        TercelError
            If there is none, or it does not belong to the model.
        """
        file = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        return cls(file.tensors, image)

    def _first(self, hidden: Vector, root: int) -> Vector:
        if self._input_map is None or self._roots is None:
            y = np.broadcast_to(hidden, self._bias.shape)
        else:
            y = (hidden @ self._input_map + self._roots[root]).reshape(self._bias.shape)
        sums = np.matmul(y[:, None, :], self._block)[:, 0, :]
        sums += self._bias
        self._states = y + silu(sums)
        return self._states[0]

    def _next(self, state: Vector, token: int, depth: int) -> Vector:
        return self._states[depth]

    def _guess(
        self, state: Vector, token: int, sampling: SamplingConfig, *, depth: int, **draw
    ) -> list[tuple[int, float]]:
        """The draws in the head's order, with the ranks' calibrated accuracies."""
        found = super()._guess(state, token, sampling, depth=depth, **draw)
        accuracies = self._accuracy[0 if sampling.greedy else 1][depth]
        return [(token, accuracy) for (token, _), accuracy in zip(found, accuracies, strict=False)]
