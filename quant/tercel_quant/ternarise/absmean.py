"""The rounding rule of BitNet training."""

from torch import Tensor

from tercel_quant.bitlinear import ternarise_rows
from tercel_quant.importers import Ternary

__all__ = ["absmean"]

SMALLEST_SCALE = 1e-5
"""Lower bound of the scale used in rounding."""


def absmean(weight: Tensor, granularity: str = "tensor") -> Ternary:
    """Ternarise with the mean magnitude as scale (BitNet b1.58, arXiv 2402.17764).

    Exact for a model trained with this rule; a naive baseline for any other model.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
    granularity : str
        The mean is over the matrix (``tensor``), each row or each group.

    Returns
    -------
    Ternary
        Trits ``clamp(round(weight / scale), -1, 1)``, halves to even; scale 0 if all weights are 0.
    """
    if granularity != "tensor":
        trits, scale, multipliers = ternarise_rows(weight, granularity)
        return Ternary(trits=trits.char(), scale=scale, multipliers=multipliers)
    mean = float(weight.abs().mean())
    scale = max(mean, SMALLEST_SCALE)
    # transformers multiplies by the reciprocal; near a tie this differs from a division.
    trits = (weight * (1 / weight.new_tensor(scale))).round_().clamp_(-1, 1).char()
    return Ternary(trits=trits, scale=scale if mean else 0.0)
