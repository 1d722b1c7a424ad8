"""The objective that a training run minimises."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.distill import Distillation
from tercel_quant.number_loss import NumberLoss

__all__ = ["Objective"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Cross-entropy of the next token, plus optional terms.

    Raises
    ------
    TercelError
        If the weight of the number-token loss is out of range.
    """

    distillation: Distillation | None = None
    """Divergence from a teacher, mixed with the cross-entropy."""
    numbers: NumberLoss | None = None
    """Number-token loss, added."""
    number_weight: float = 0.3
    """Weight of the number-token loss; 0.3 is the value of arXiv 2411.02083."""

    def __post_init__(self):
        if not 0 <= self.number_weight < float("inf"):
            raise TercelError(
                f"number_weight must be a non-negative number, not {self.number_weight!r}"
            )

    def to(self, device: torch.device) -> None:
        """Move the teacher and the number table to a device, in place."""
        for module in (self.distillation and self.distillation.teacher, self.numbers):
            if module is not None:
                module.to(device)

    def loss(self, model: nn.Module, windows: Tensor) -> Tensor:
        """The loss of a batch, averaged over its predicted tokens.

        Parameters
        ----------
        model : nn.Module
            Maps int64 tokens of shape (batch, length) to logits.
        windows : Tensor, int64, shape (batch, length + 1)

        Returns
        -------
        Tensor, float32, scalar
            In nats if cross-entropy is the only term.
        """
        tokens, labels = windows[:, :-1], windows[:, 1:].flatten()
        logits = model(tokens).flatten(0, 1).float()
        loss = functional.cross_entropy(logits, labels)
        if self.distillation is not None:
            loss = self.distillation.mix(loss, logits, tokens)
        if self.numbers is not None:
            loss = loss + self.number_weight * self.numbers(logits, labels)
        return loss
