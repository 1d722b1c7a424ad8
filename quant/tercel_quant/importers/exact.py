"""Recognising a float matrix that is ternary already."""

from torch import Tensor

from tercel_quant.importers.checkpoint import Ternary

__all__ = ["exact_ternary"]


def exact_ternary(weight: Tensor) -> Ternary | None:
    """The trits and the scale of a matrix of the values ``-s, 0, s`` alone, else ``None``.

    Parameters
    ----------
    weight : Tensor, float32, shape (rows, columns)
        All zeros are ternary too, with scale 0.
    """
    magnitudes = weight.abs()
    scale = magnitudes.max()
    if not ((magnitudes == scale) | (magnitudes == 0)).all():
        return None
    return Ternary(trits=weight.sign().char(), scale=float(scale))
