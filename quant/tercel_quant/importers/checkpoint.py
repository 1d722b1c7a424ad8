"""What every checkpoint reader offers: canonical tensors, one at a time."""

import abc
from functools import cached_property

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers.ternary import GroupedTernary, Ternary

__all__ = ["Checkpoint", "check_finite"]


class Checkpoint(abc.ABC):
    """A model on disk, read tensor by tensor under the canonical names of docs/architecture.md.

    The constructor of a reader has checked the config and the presence and shape of every tensor;
    values are checked as they are read. Nothing is kept between reads.
    """

    @property
    @abc.abstractmethod
    def config(self) -> ModelConfig: ...

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """The layout in words, for reports."""

    @property
    @abc.abstractmethod
    def declared_ternary(self) -> bool:
        """Whether the checkpoint says itself that it was trained ternary.

        Its float matrices are then the masters of ``ternarise.absmean``.
        """

    @cached_property
    def trained_ternary(self) -> bool:
        """Whether the model was trained with ternary weights, by its own word or by its weights.

        A checkpoint that says nothing is ternary if all matrices of its first layer are. Any other
        model needs post-training ternarisation.
        """
        return self.declared_ternary or all(
            isinstance(self.matrix(f"layers.0.{part}"), Ternary | GroupedTernary)
            for part in self.config.linears()
        )

    @abc.abstractmethod
    def matrix(self, name: str) -> Tensor | Ternary | GroupedTernary:
        """A linear's weights, for instance ``layers.0.q``, as the checkpoint has them.

        Returns
        -------
        Tensor, Ternary or GroupedTernary
            float32, shape (rows, columns), or trits where the checkpoint stores trits, or floats
            that are ternary already and not declared to be masters.

        Raises
        ------
        TercelError
            If a weight is not finite or a packed code is no trit.
        """

    @abc.abstractmethod
    def gain(self, name: str) -> Tensor:
        """A norm's gain, float32, shape (width,), for instance ``layers.0.attention_norm``.

        Raises
        ------
        TercelError
            If a value is not finite.
        """

    @abc.abstractmethod
    def rows(self, name: str) -> Tensor:
        """``embedding`` or ``head``, float32, shape (vocab_size, hidden_size).

        Raises
        ------
        TercelError
            If a value is not finite.
        """

    @abc.abstractmethod
    def tokenizer(self) -> bytes | None:
        """The bytes of a ``tokenizer.json``, or ``None`` where the checkpoint brings none.

        Raises
        ------
        TercelError
            If it brings one of a kind that cannot be read.
        """


def check_finite(values: Tensor, name: str) -> Tensor:
    """Return ``values``, or raise a :class:`TercelError` that names the tensor."""
    # A sum is finite only if all of its terms are; it may overflow, so that is looked at again.
    if not torch.isfinite(values.sum()) and not (finite := torch.isfinite(values)).all():
        place = torch.nonzero(~finite)[0].tolist()
        count = int((~finite).sum())
        raise TercelError(
            f"{name} holds {count} values that are not finite, the first at {place}; "
            "weights must be numbers, so the checkpoint is damaged or its training diverged"
        )
    return values
