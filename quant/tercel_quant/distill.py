"""Distillation of a full-precision teacher's next-token distribution into a student."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.model import Transformer

__all__ = ["Distillation"]


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Divergence from a teacher's next-token distribution (Hinton et al., arXiv 1503.02531).

    Raises
    ------
    TercelError
        If weight or temperature are out of range.
    """

    teacher: Transformer
    """The teacher, with the student's vocabulary; not trained."""
    weight: float = 0.7
    """Weight of the divergence in the loss; the rest is cross-entropy."""
    temperature: float = 1.0
    """Divisor of both models' logits."""

    def __post_init__(self):
        if not 0 < self.weight <= 1:
            raise TercelError(f"weight must be above 0 and at most 1, not {self.weight!r}")
        if not 0 < self.temperature < float("inf"):
            raise TercelError(f"temperature must be a positive number, not {self.temperature!r}")

    def check(self, student: Transformer) -> None:
        """Check that a student fits the teacher.

        Raises
        ------
        TercelError
            If the vocabularies differ in size or the student's context is longer.
        """
        for field in ("vocab_size", "context"):
            ours, theirs = (getattr(m.config, field) for m in (student, self.teacher))
            if ours > theirs or (field == "vocab_size" and ours != theirs):
                raise TercelError(
                    f"the teacher's {field} {theirs} does not serve a student with {ours}; "
                    "take a teacher with the student's own tokenizer and context"
                )

    def mix(self, cross_entropy: Tensor, logits: Tensor, tokens: Tensor) -> Tensor:
        """Blend ``KL(teacher || student)`` into the cross-entropy.

        Parameters
        ----------
        cross_entropy : Tensor, float32, scalar
        logits : Tensor, float32, shape (batch * time, vocab_size)
            The student's logits.
        tokens : Tensor, int64, shape (batch, time)
            Inputs of both models.

        Returns
        -------
        Tensor, float32, scalar
        """
        with torch.no_grad():
            target = self.teacher(tokens).flatten(0, 1).float()
        divergence = functional.kl_div(
            (logits / self.temperature).log_softmax(-1),
            (target / self.temperature).log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
        scale = self.weight * self.temperature**2
        return (1 - self.weight) * cross_entropy + scale * divergence
