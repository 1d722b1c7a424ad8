"""Ternary matrices in the granularities of the device: the exact one, or the nearest."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel_quant.group_scales import GROUP, by_group, encode_scales
from tercel_quant.importers.ternary import GroupedTernary, Ternary

__all__ = ["GRANULARITIES", "Regrouped", "exact_granularity", "refusal", "regroup"]

GRANULARITIES = ("tensor", "row", "group")
"""From the coarsest to the finest."""


@dataclass(frozen=True, kw_only=True)
class Regrouped:
    """A ternary matrix with the scales of a granularity."""

    ternary: Ternary
    exact: bool
    """True if every part with a scale of its own had one scale before."""
    loss: float
    """Norm of the weights' error relative to that of the weights, without that of multipliers."""
    rounding: Tensor
    """Relative error that the multiplier makes of each group's scale that is not 0, float64; empty
    without groups."""


def exact_granularity(weight: Ternary | GroupedTernary) -> str | None:
    """The coarsest granularity that holds the scales of a matrix; ``None`` if none does.

    Multipliers round the scales of ``group``.
    """
    if isinstance(weight, Ternary):
        return "tensor"
    _, width = weight.block
    if width == weight.trits.shape[1]:
        return "row"
    if width % GROUP == 0 or _means(weight, "group")[1]:
        return "group"
    return None


def regroup(weight: Ternary | GroupedTernary, granularity: str) -> Regrouped:
    """The same trits with the scales of a granularity.

    Where several scales become one, it is that of least squared error: the mean over the non-zeros.
    """
    trits, rounding = weight.trits, torch.zeros(0, dtype=torch.float64)
    if granularity == "tensor" and isinstance(weight, Ternary):
        return Regrouped(ternary=weight, exact=True, loss=0.0, rounding=rounding)
    means, exact, loss = _means(weight, granularity)
    if granularity == "tensor":
        ternary = Ternary(trits=trits, scale=float(means))
    elif granularity == "row":
        ternary = Ternary(trits=trits, scale=means.flatten().float())
    else:
        rows, multipliers = encode_scales(means)
        ternary = Ternary(trits=trits, scale=rows, multipliers=multipliers)
        used = means > 0
        rounding = ((multipliers * rows.double()[:, None] - means).abs() / means)[used]
    return Regrouped(ternary=ternary, exact=exact, loss=loss, rounding=rounding)


def refusal(name: str, weight: GroupedTernary, found: Regrouped, granularity: str) -> TercelError:
    """The error for a matrix whose scales the granularity does not hold, as ``found`` shows."""
    if exact_granularity(weight) is None:
        _, width = weight.block
        why = (
            f"the device's groups are of {GROUP} columns of a row, and groups of {width} beside "
            "each other have different scales"
        )
    else:
        why = f"the granularity {granularity!r} has fewer"
    remedy = f"--granularity {granularity} --requantize"
    return TercelError(
        f"{name} is ternary with {weight.granularity} ({weight.scales.numel()} scales), but {why}; "
        f"{remedy} gives each part the one scale of least error and tells the loss "
        f"({100 * found.loss:.1f} % of this matrix's weights)"
    )


def _means(weight: Ternary | GroupedTernary, granularity: str) -> tuple[Tensor, bool, float]:
    """Mean magnitude of the non-zeros of each part, float64; 0 without any.

    The shape is (1, 1), (rows, 1) or (rows, groups). With it: True if all non-zeros of each part
    are equal, and the relative error of the weights.
    """
    magnitudes = weight.dequantise().abs()
    if granularity == "tensor":
        parts = magnitudes.reshape(1, 1, -1)
    else:
        parts = magnitudes[:, None] if granularity == "row" else by_group(magnitudes)
    counts = (parts > 0).sum(2)
    means = parts.sum(2, dtype=torch.float64) / counts.clamp_min(1)
    error = torch.where(parts > 0, parts - means[:, :, None].float(), 0)
    exact = not error.any()
    norm = float(magnitudes.double().square().sum())
    loss = 0.0 if exact else float((error.double().square().sum() / norm).sqrt())
    return means, exact, loss
