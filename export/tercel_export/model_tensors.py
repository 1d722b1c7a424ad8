"""The interface of what is exported: a config and its tensors."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig
from tercel.errors import TercelError

__all__ = ["ModelTensors", "check_exportable"]


def check_exportable(config: ModelConfig) -> None:
    """Refuse a model that no format of an export holds yet.

    Raises
    ------
    TercelError
        If the model needs version 3 of the image.
    """
    if parts := config.version_3_parts:
        raise TercelError(
            f"exports hold matrices of one scale and int8 heads without shortlist, and no q/k "
            f"norms, but {config.name} has {parts}; export what the image was made of instead"
        )


class ModelTensors(Protocol):
    """The tensors of a model by their canonical names; :class:`tercel.image.Image` has them."""

    @property
    def config(self) -> ModelConfig: ...

    def ternary(self, name: str) -> npt.NDArray[np.int8]:
        """Trits ``[rows, columns]`` of a matrix such as ``layers.0.q``."""
        ...

    def weight_scale(self, name: str) -> np.float32:
        """The scale of a matrix."""
        ...

    def gain(self, name: str) -> npt.NDArray[np.float32]:
        """The gain ``[width]`` of a norm such as ``layers.0.attention_norm`` or ``norm``."""
        ...

    def rows(self, name: str) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Rows ``[vocab_size, hidden_size]`` of ``embedding`` or ``head``, and their scales."""
        ...

    def rope(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Cosines and sines, each ``[context, head_size / 2]``."""
        ...
