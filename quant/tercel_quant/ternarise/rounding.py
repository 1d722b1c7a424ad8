"""Ternary rounding of a matrix against the second moments of its input.

The error of trits T and scale s is ``trace((W - s*T) H (W - s*T)^T)``, the squared error of the
product over the inputs with second moments H. Rounding propagates each column's error to the
columns after it (GPTQ, arXiv 2210.17323); sweeps of coordinate descent then refine the trits
(QuantEase, arXiv 2309.01885). The device takes one scale per matrix, which is searched and then
fitted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.importers import Ternary

__all__ = ["RoundingConfig", "output_error", "round_to_trits"]

BLOCK = 64
"""Columns rounded between two updates of the remaining ones."""


@dataclass(frozen=True, kw_only=True)
class RoundingConfig:
    """Parameters of the search for trits and scale.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    damping: float = 0.01
    """Fraction of the mean second moment that is added to the diagonal."""
    scales: tuple[float, ...] = (0.75, 0.9, 1.05, 1.2, 1.4)
    """Candidate scales, in units of the mean magnitude of the weights."""
    sweeps: int = 3
    """Sweeps of coordinate descent, each followed by a fit of the scale."""

    def __post_init__(self):
        if not self.damping > 0:
            raise TercelError(f"damping must be positive, not {self.damping!r}")
        if not self.scales or not all(scale > 0 for scale in self.scales):
            raise TercelError(f"scales must be positive numbers, not {self.scales!r}")
        if self.sweeps < 0:
            raise TercelError(f"sweeps must not be negative, not {self.sweeps!r}")


def round_to_trits(
    weight: Tensor, moments: Tensor, config: RoundingConfig = RoundingConfig()
) -> Ternary:
    """Find trits and a scale of small output error.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
    moments : Tensor, float32, shape (columns, columns)
        H, the sum or mean of ``x x^T`` over the inputs. An input that is always 0 gets trits 0.
    config : RoundingConfig

    Returns
    -------
    Ternary
        Scale 0 if all weights or all moments are 0.
    """
    mean = float(weight.abs().mean())
    diagonal = moments.diagonal()
    if not mean or not float(diagonal.sum()):
        return Ternary(trits=torch.zeros_like(weight, dtype=torch.int8), scale=0.0)
    damped = moments + torch.eye(len(moments)) * (config.damping * float(diagonal.mean()))
    order = diagonal.argsort(descending=True)
    weight, damped = weight[:, order] * (diagonal[order] > 0), damped[order][:, order]
    factor = _inverse_factor(damped)
    best, best_error = None, float("inf")
    for candidate in config.scales:
        trits = _feed_errors(weight, factor, candidate * mean)
        scale = _fit_scale(weight, trits, damped)
        if (error := output_error(weight - scale * trits, damped)) < best_error:
            best, best_error = (trits, scale), error
    assert best is not None
    trits, scale = best
    for _ in range(config.sweeps):
        trits = _descend(weight, trits, scale, damped)
        scale = _fit_scale(weight, trits, damped)
    return Ternary(trits=trits[:, order.argsort()].char(), scale=scale)


def output_error(difference: Tensor, moments: Tensor) -> float:
    """``trace(D H D^T)`` of a difference of weights, shape (rows, columns)."""
    return float(((difference @ moments) * difference).sum())


def _inverse_factor(moments: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse, computed in float64."""
    lower = torch.linalg.cholesky(moments.double())
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True).float()


def _fit_scale(weight: Tensor, trits: Tensor, moments: Tensor) -> float:
    """The scale of least error; 0 if that is negative."""
    seen = trits @ moments
    norm = float((seen * trits).sum())
    return max(float((seen * weight).sum()) / norm, 0.0) if norm > 0 else 0.0


def _feed_errors(weight: Tensor, factor: Tensor, scale: float) -> Tensor:
    """Round column by column and propagate the errors to later ones; trits as float32."""
    rest = weight.clone()
    trits = torch.empty_like(weight)
    columns = weight.shape[1]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        block, own = rest[:, start:stop].T.contiguous(), factor[start:stop, start:stop]
        errors = torch.empty_like(block)
        for i in range(stop - start):
            column = (block[i] / scale).round_().clamp_(-1, 1)
            trits[:, start + i] = column
            errors[i] = (block[i] - scale * column) / own[i, i]
            block[i + 1 :].addr_(own[i, i + 1 :], errors[i], alpha=-1)
        rest[:, stop:].addmm_(errors.T, factor[start:stop, stop:], alpha=-1)
    return trits


def _descend(weight: Tensor, trits: Tensor, scale: float, moments: Tensor) -> Tensor:
    """One sweep of coordinate descent: each column to its best trits with the others fixed."""
    if not scale:
        return trits
    trits = trits.clone()
    pull = (weight - scale * trits) @ moments
    columns = weight.shape[1]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        own = moments[start:stop, start:stop]
        block, mine = pull[:, start:stop].T.contiguous(), trits[:, start:stop].T.contiguous()
        before = mine.clone()
        for i in range(stop - start):
            best = (mine[i] + block[i] / (scale * own[i, i])).round_().clamp_(-1, 1)
            block.addr_(own[i], best - mine[i], alpha=-scale)
            mine[i] = best
        trits[:, start:stop] = mine.T
        pull.addmm_((mine - before).T, moments[start:stop], alpha=-scale)
    return trits
