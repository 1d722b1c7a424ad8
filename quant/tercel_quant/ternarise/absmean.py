"""The rounding rule with which BitNet models are trained."""

from torch import Tensor

from tercel_quant.importers import Ternary

__all__ = ["absmean"]

SMALLEST_SCALE = 1e-5
"""The rule's floor of the mean magnitude."""


def absmean(weight: Tensor) -> Ternary:
    """Ternarise with the mean magnitude as scale (BitNet b1.58, arXiv 2402.17764).

    Right for a model that was trained with it. For any other model it is the naive baseline.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)

    Returns
    -------
    Ternary
        Trits ``clamp(round(weight / scale), -1, 1)``, halves to even; scale 0 if all weights are 0.
    """
    mean = float(weight.abs().mean())
    scale = max(mean, SMALLEST_SCALE)
    # transformers multiplies with the reciprocal; near a tie that is not the same as dividing.
    trits = (weight * (1 / weight.new_tensor(scale))).round_().clamp_(-1, 1).char()
    return Ternary(trits=trits, scale=scale if mean else 0.0)
