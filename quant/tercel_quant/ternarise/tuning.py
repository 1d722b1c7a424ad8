"""Tuning a ternarised layer as a whole by gradient descent.

After each linear has been rounded on its own, the layer's trits, scales and gains are trained
together so that the layer's output comes near that of the float network (block-wise training of all
parameters, EfficientQAT, arXiv 2407.11062). Gradients pass the rounding of weights and activations
unchanged.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.bitlinear import quantise_activations
from tercel_quant.checkpoints import Ternary
from tercel_quant.reference import Layer, run_layer

__all__ = ["TuningConfig", "tune"]

MARGIN = 0.49
"""Most distance of a latent weight from its trit at the start: less than half a step."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """How long and how fast.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    epochs: int = 4
    """Times that the calibration text is seen; 0 leaves the layers as they were rounded."""
    windows: int = 4
    """Windows of text in a step."""
    latent_rate: float = 5e-3
    """Learning rate of the latent weights, in units of the scale."""
    factor_rate: float = 2e-3
    """Learning rate of scales and gains, relative to their values."""

    def __post_init__(self):
        if self.epochs < 0:
            raise TercelError(f"epochs must not be negative, not {self.epochs!r}")
        if self.windows < 1:
            raise TercelError(f"windows must be at least 1, not {self.windows!r}")
        for field in ("latent_rate", "factor_rate"):
            if not getattr(self, field) > 0:
                raise TercelError(f"{field} must be positive, not {getattr(self, field)!r}")


class _Linear:
    """A ternary linear whose latent weights and scale are trained."""

    def __init__(self, ternary: Ternary, weight: Tensor):
        self._start = ternary
        trits = ternary.trits.float()
        # The float weight says which trits are near a change.
        near = weight / ternary.scale - trits if ternary.scale else torch.zeros_like(trits)
        self.latent = (trits + near.clamp(-MARGIN, MARGIN)).requires_grad_()
        self.factor = torch.zeros((), requires_grad=True)

    def __call__(self, x: Tensor) -> Tensor:
        integers, unit = quantise_activations(x)
        x = x + (integers * unit - x).detach()
        trits = self.latent + (self._trits() - self.latent).detach()
        return torch.nn.functional.linear(x, trits) * (self._start.scale * self.factor.exp())

    def _trits(self) -> Tensor:
        return self.latent.detach().round().clamp(-1, 1)

    def result(self) -> Ternary:
        scale = self._start.scale * math.exp(self.factor.item())
        return Ternary(trits=self._trits().char(), scale=scale)


@torch.enable_grad()
def tune(
    config: ModelConfig,
    tensors: Mapping[str, Ternary | Tensor],
    weights: Mapping[str, Tensor],
    stream: Tensor,
    target: Tensor,
    table: tuple[Tensor, Tensor],
    tuning: TuningConfig,
) -> dict[str, Ternary | Tensor]:
    """Train one layer towards an output.

    Parameters
    ----------
    config : ModelConfig
    tensors : mapping of str to Ternary or Tensor
        The layer's linears and gains.
    weights : mapping of str to Tensor, float32, shape (rows, columns)
        The linears' float weights.
    stream, target : Tensor, float32, shape (windows, time, hidden_size)
        The layer's input in the quantised and its output in the float network.
    table : pair of Tensor
        As of :func:`tercel_quant.reference.rope`.
    tuning : TuningConfig

    Returns
    -------
    dict of str to Ternary or Tensor
        In place of ``tensors``.
    """
    linears, starts, factors = {}, {}, {}
    for name, tensor in tensors.items():
        if isinstance(tensor, Ternary):
            linears[name] = _Linear(tensor, weights[name])
        else:
            starts[name] = tensor
            factors[name] = torch.zeros_like(tensor, requires_grad=True)
    optimiser = torch.optim.Adam(
        [
            {"params": [linear.latent for linear in linears.values()], "lr": tuning.latent_rate},
            {
                "params": [linear.factor for linear in linears.values()] + list(factors.values()),
                "lr": tuning.factor_rate,
            },
        ],
        betas=(0.9, 0.95),
    )
    # An output counts relative to its token's stream, as for the norm that follows.
    inverse = target.square().mean(-1, keepdim=True).clamp_min(1e-30).reciprocal()
    batches = math.ceil(len(stream) / tuning.windows)
    steps = tuning.epochs * batches
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / max(steps, 1))
    )
    for step in range(steps):
        part = slice(step % batches, None, batches)
        gains = {name: start * factors[name].exp() for name, start in starts.items()}
        output = run_layer(config, Layer(linears=linears, gains=gains), stream[part], table)
        loss = ((output - target[part]).square() * inverse[part]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    tuned = {name: (start * factors[name].exp()).detach() for name, start in starts.items()}
    return {name: linear.result() for name, linear in linears.items()} | tuned
