"""The interface of checkpoint readers: canonical tensors, one at a time."""

import abc
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel.numerics import quantise_rows
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.importers.sampling_defaults import SamplingDefaults
from tercel_quant.importers.ternary import GroupedTernary, Ternary

__all__ = ["BLOCK_ROWS", "Checkpoint", "check_finite"]


BLOCK_ROWS = 8192
"""Rows of embedding and head that are read together."""


class Checkpoint(abc.ABC):
    """A model on disk, read tensor by tensor under the canonical names of docs/architecture.md.

    A reader's constructor checks the config and the presence and shape of every tensor; values are
    checked as they are read. No tensor is kept between reads.
    """

    @property
    @abc.abstractmethod
    def config(self) -> ModelConfig: ...

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """Description of the layout, for reports."""

    @property
    @abc.abstractmethod
    def declared_ternary(self) -> bool:
        """True if the checkpoint's metadata declares ternary training.

        Its float matrices are then masters, which ``ternarise.absmean`` rounds as training did.
        """

    @cached_property
    def trained_ternary(self) -> bool:
        """True if the model was trained with ternary weights, as declared or by its weights.

        Without a declaration, all matrices of the first layer must be ternary. Any other model
        needs post-training ternarisation.
        """
        return self.declared_ternary or all(
            isinstance(self.matrix(f"layers.0.{part}"), Ternary | GroupedTernary)
            for part in self.config.linears()
        )

    @property
    def padding(self) -> HeadPadding | None:
        """Padding of the heads from the checkpoint's size to the config's, if they differ.

        :meth:`matrix` and :meth:`floats` return a layer's tensors without it.
        """
        return None

    @abc.abstractmethod
    def matrix(self, name: str) -> Tensor | Ternary | GroupedTernary:
        """The weights of a linear such as ``layers.0.q``.

        Returns
        -------
        Tensor, Ternary or GroupedTernary
            float32, shape (rows, columns), or trits if the checkpoint stores trits, or floats
            that are ternary and not declared masters.

        Raises
        ------
        TercelError
            If a weight is not finite or a packed code is not a trit.
        """

    @abc.abstractmethod
    def floats(self, name: str) -> Tensor:
        """A tensor other than a linear's matrix, float32.

        A norm's gain, for instance ``layers.0.attention_norm``, has the shape (width,);
        ``embedding`` and ``head`` have (vocab_size, hidden_size).

        Raises
        ------
        TercelError
            If a value is not finite.
        """

    def row_blocks(self, name: str) -> Iterator[Tensor]:
        """The rows of ``embedding`` or ``head`` in order, some at a time, float32.

        Raises
        ------
        TercelError
            As :meth:`floats`.
        """
        yield from self.floats(name).split(BLOCK_ROWS)

    def quantised_rows(
        self, name: str
    ) -> Iterator[tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]]:
        """The rows of ``embedding`` or ``head`` as the device holds them, some at a time.

        int8 ``[n, hidden_size]`` and float32 ``[n]``.

        Raises
        ------
        TercelError
            As :meth:`floats`.
        """
        for block in self.row_blocks(name):
            yield quantise_rows(block.numpy())

    @abc.abstractmethod
    def tokenizer(self) -> bytes | None:
        """The bytes of a ``tokenizer.json``, or ``None`` if the checkpoint has no tokenizer.

        Raises
        ------
        TercelError
            If its tokenizer is of a kind that cannot be read.
        """

    def chat(self) -> ChatFormat | None:
        """The chat template, or ``None`` if the checkpoint has none.

        Raises
        ------
        TercelError
            If it is malformed.
        """
        return None

    def sampling(self) -> SamplingDefaults:
        """The sampling that the checkpoint recommends.

        Raises
        ------
        TercelError
            If it is malformed.
        """
        return SamplingDefaults()


def check_finite(values: Tensor, name: str) -> Tensor:
    """Return ``values`` if they are finite.

    Raises
    ------
    TercelError
        If one is not; the message names the tensor.
    """
    # Fast path: a finite sum has finite terms. A sum may overflow, so the terms decide.
    if not torch.isfinite(values.sum()) and not (finite := torch.isfinite(values)).all():
        place = torch.nonzero(~finite)[0].tolist()
        count = int((~finite).sum())
        raise TercelError(
            f"{name} holds {count} values that are not finite, the first at {place}; "
            "weights must be numbers, so the checkpoint is damaged or its training diverged"
        )
    return values
