"""Loss of a model on held-out text."""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from tercel_quant.model import Transformer

__all__ = ["Perplexity", "measure_perplexity"]


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Loss over a number of predicted tokens."""

    tokens: int
    """Number of predicted tokens."""
    loss: float
    """Mean negative log-likelihood, nats per token."""

    @property
    def perplexity(self) -> float:
        """``exp(loss)``, per token."""
        return math.exp(self.loss)

    def bits_per_byte(self, bytes_per_token: float) -> float:
        """Loss in bits per byte of the text."""
        return self.loss / math.log(2) / bytes_per_token


def measure_perplexity(model: Transformer, windows: Tensor, *, batch_size: int = 8) -> Perplexity:
    """Evaluate in float32 with the weights and activations of the model's precision.

    Every window starts with an empty context.

    Parameters
    ----------
    model : Transformer
    windows : Tensor, int64, shape (windows, length + 1)
    batch_size : int
        Windows evaluated together.

    Returns
    -------
    Perplexity
    """
    total = 0.0
    for batch in windows.split(batch_size):
        logits = model.reference_logits(batch[:, :-1]).flatten(0, 1)
        total += functional.cross_entropy(logits, batch[:, 1:].flatten(), reduction="sum").item()
    tokens = windows.shape[0] * (windows.shape[1] - 1)
    return Perplexity(tokens=tokens, loss=total / tokens)
