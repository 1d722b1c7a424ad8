"""Ternary rounding of a matrix against the second moments of its input.

The error of trits T and scales S is ``trace((W - S*T) H (W - S*T)^T)``, the squared error of the
product over the inputs with second moments H. Rounding propagates each column's error to the
columns after it (GPTQ, arXiv 2210.17323); sweeps of coordinate descent then refine the trits
(QuantEase, arXiv 2309.01885). The scales (one, one a row, or one a group) are searched and then
fitted; those of groups are the ones that the device holds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.importers import Ternary
from tercel_quant.ternarise.scale_grid import scale_grid

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
    """Candidate scales, in units of the mean magnitude of the weights that share a scale."""
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
    weight: Tensor,
    moments: Tensor,
    config: RoundingConfig = RoundingConfig(),
    granularity: str = "tensor",
) -> Ternary:
    """Find trits and scales of small output error.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
    moments : Tensor, float32, shape (columns, columns)
        H, the sum or mean of ``x x^T`` over the inputs. An input that is always 0 gets trits 0.
    config : RoundingConfig
    granularity : str
        Of the scales: ``tensor``, ``row`` or ``group``.

    Returns
    -------
    Ternary
        Scales 0 where all weights or all moments are 0.
    """
    diagonal = moments.diagonal()
    order = diagonal.argsort(descending=True)
    grid = scale_grid(granularity, weight, order)
    if not weight.any() or not float(diagonal.sum()):
        return grid.ternary(torch.zeros_like(weight), 0 * grid.start())
    damped = moments + torch.eye(len(moments)) * (config.damping * float(diagonal.mean()))
    weight, damped = weight[:, order] * (diagonal[order] > 0), damped[order][:, order]
    factor = _inverse_factor(damped)
    trits, scales = torch.zeros_like(weight), grid.start()
    best = torch.full((1, 1), float("inf"))
    for candidate in config.scales:
        tried = _feed_errors(weight, factor, candidate * grid.start())
        fitted = grid.fit(weight, tried, damped, candidate * grid.start())
        errors = grid.errors(weight - fitted * tried, damped)
        better = errors < best
        trits = torch.where(better, tried, trits)
        scales, best = torch.where(better, fitted, scales), torch.where(better, errors, best)
    for _ in range(config.sweeps):
        trits = _descend(weight, trits, scales, damped)
        scales = grid.fit(weight, trits, damped, scales)
    if granularity == "group":  # its scales are rounded, so the trits fit them once more
        trits = _descend(weight, trits, scales, damped)
    return grid.ternary(trits, scales)


def output_error(difference: Tensor, moments: Tensor) -> float:
    """``trace(D H D^T)`` of a difference of weights, shape (rows, columns)."""
    return float(((difference @ moments) * difference).sum())


def _inverse_factor(moments: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse, computed in float64."""
    lower = torch.linalg.cholesky(moments.double())
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True).float()


def _feed_errors(weight: Tensor, factor: Tensor, scales: Tensor) -> Tensor:
    """Round column by column and propagate the errors to later ones; trits as float32."""
    rest = weight.clone()
    trits = torch.empty_like(weight)
    columns = weight.shape[1]
    scales = scales.expand(-1, columns)
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        block, own = rest[:, start:stop].T.contiguous(), factor[start:stop, start:stop]
        units = scales[:, start:stop].T.contiguous()
        inverses = _inverse(units)
        errors = torch.empty_like(block)
        for i in range(stop - start):
            column = (block[i] * inverses[i]).round_().clamp_(-1, 1)
            trits[:, start + i] = column
            errors[i] = (block[i] - units[i] * column) / own[i, i]
            block[i + 1 :].addr_(own[i, i + 1 :], errors[i], alpha=-1)
        rest[:, stop:].addmm_(errors.T, factor[start:stop, stop:], alpha=-1)
    return trits


def _descend(weight: Tensor, trits: Tensor, scales: Tensor, moments: Tensor) -> Tensor:
    """One sweep of coordinate descent: each column to its best trits with the others fixed."""
    trits = trits.clone()
    pull = (weight - scales * trits) @ moments
    columns = weight.shape[1]
    scales = scales.expand(-1, columns)
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        own = moments[start:stop, start:stop]
        block, mine = pull[:, start:stop].T.contiguous(), trits[:, start:stop].T.contiguous()
        units = scales[:, start:stop].T.contiguous()
        inverses = _inverse(units)
        before = mine.clone()
        for i in range(stop - start):
            best = (mine[i] + block[i] * inverses[i] / own[i, i]).round_().clamp_(-1, 1)
            best = torch.where(units[i] > 0, best, mine[i])
            block.addr_(own[i], (best - mine[i]) * units[i], alpha=-1)
            mine[i] = best
        trits[:, start:stop] = mine.T
        pull.addmm_(((mine - before) * units).T, moments[start:stop], alpha=-1)
    return trits


def _inverse(scales: Tensor) -> Tensor:
    """Reciprocals, with 0 for 0."""
    return torch.where(scales > 0, scales.reciprocal(), 0)
