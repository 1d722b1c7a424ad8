"""Training of any-subset models: random orders of windows of a text."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.any_subset.model import AnySubsetModel

__all__ = ["AnySubsetTraining", "order_loss", "train_any_subset"]


@dataclass(frozen=True, kw_only=True)
class AnySubsetTraining:
    """Parameters of a training.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    steps: int = 2000
    batch: int = 32
    learning_rate: float = 2e-3
    """Peak rate of AdamW; rises over a twentieth of the steps, then falls linearly to 0."""
    seed: int = 1

    def __post_init__(self):
        if self.steps < 1 or self.batch < 1:
            raise TercelError(
                f"steps and batch must be 1 or more, not {self.steps} and {self.batch}"
            )
        if not self.learning_rate > 0:
            raise TercelError(f"learning_rate must be above 0, not {self.learning_rate}")


def order_loss(model: AnySubsetModel, tokens: Tensor, ranks: Tensor) -> Tensor:
    """Mean negative log-likelihood of texts in the given orders, in nats a token.

    Parameters
    ----------
    tokens, ranks : Tensor, int64, shape (texts, length)
    """
    logits = model(tokens, ranks, ranks)
    return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def train_any_subset(
    model: AnySubsetModel,
    text: Tensor,
    training: AnySubsetTraining,
    *,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train a model in place.

    Windows and orders are a pure function of the seed. Every position of a window is predicted
    from those before it in a random order, so each size of a prompt is trained.

    Parameters
    ----------
    model : AnySubsetModel
    text : Tensor, int64, shape (tokens,)
    training : AnySubsetTraining
    report : callable
        Gets the step and the loss.

    Raises
    ------
    TercelError
        If the text is shorter than a window, or the loss is not finite.
    """
    length = model.config.length
    if len(text) < length:
        raise TercelError(f"the text has {len(text)} tokens, fewer than a window of {length}")
    adam = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(training.seed)
    warm = max(1, training.steps // 20)
    for step in range(training.steps):
        starts = torch.randint(len(text) - length + 1, (training.batch,), generator=generator)
        tokens = text[starts[:, None] + torch.arange(length)]
        ranks = torch.rand(tokens.shape, generator=generator).argsort(-1)
        loss = order_loss(model, tokens, ranks)
        if not bool(loss.isfinite()):
            raise TercelError(
                f"the loss of step {step} is not finite; train with a lower learning rate"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            factor = min((step + 1) / warm, 1 - step / training.steps)
            group["lr"] = training.learning_rate * factor
        adam.step()
        adam.zero_grad()
        report(step + 1, loss.item())
