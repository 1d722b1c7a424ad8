"""Linear layers with ternary weights, int8 activations and straight-through gradients."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.errors import TercelError

__all__ = ["PRECISIONS", "BitLinear", "project", "quantise_activations", "ternarise"]

PRECISIONS = ("float", "ternary")
"""``float``: plain linears. ``ternary``: ternary weights and int8 activations."""


def ternarise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a matrix to trits with one scale, the mean magnitude (BitNet b1.58, arXiv 2402.17764).

    Parameters
    ----------
    weight : Tensor, float, any shape
        Latent full-precision weights.

    Returns
    -------
    trits : Tensor, float32, shape of ``weight``
        ``clamp(round(weight / scale), -1, 1)``; halves round to even.
    scale : Tensor, float32, scalar
        ``mean(abs(weight))``. All-zero weights give scale 0 and trits 0.
    """
    weight = weight.detach().float()
    scale = weight.abs().mean()
    return (weight * _inverse(scale)).round().clamp(-1, 1), scale


def quantise_activations(activations: Tensor) -> tuple[Tensor, Tensor]:
    """Round each token's vector to int8 by its largest magnitude.

    Parameters
    ----------
    activations : Tensor, float, shape (..., columns)

    Returns
    -------
    integers : Tensor, float32, shape (..., columns)
        ``clamp(round(x * 127 / max|x|), -127, 127)``; a zero row stays zero.
    scale : Tensor, float32, shape (..., 1)
        ``max|x| / 127``.
    """
    activations = activations.detach().float()
    largest = activations.abs().amax(dim=-1, keepdim=True)
    integers = (activations * (127 * _inverse(largest))).round().clamp(-127, 127)
    return integers, largest / 127


def _inverse(values: Tensor) -> Tensor:
    """Reciprocal, with 0 for 0."""
    return torch.where(values > 0, values.reciprocal(), 0)


def _straight_through(latent: Tensor, rounded: Tensor, inverse: Tensor) -> Tensor:
    """``rounded`` in the forward pass, with the gradient of ``latent * inverse``."""
    scaled = latent * inverse
    return scaled + (rounded - scaled).detach()


class BitLinear(nn.Module):
    """A linear layer without bias whose product is computed on trits and int8 activations.

    Parameters
    ----------
    rows, columns : int
        Outputs and inputs.
    precision : str
        One of :data:`PRECISIONS`; ``float`` makes it a plain linear.

    Members
    -------
    weight : Parameter, float32, shape (rows, columns)
        Latent weights, which the optimiser updates.

    Raises
    ------
    TercelError
        If the precision is unknown.
    """

    def __init__(self, *, rows: int, columns: int, precision: str = "ternary"):
        super().__init__()
        if precision not in PRECISIONS:
            raise TercelError(
                f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}"
            )
        self.precision = precision
        self.weight = nn.Parameter(torch.empty(rows, columns))

    def forward(self, x: Tensor) -> Tensor:
        """Map shape (..., columns) to (..., rows)."""
        return project(x, self)[0]


def project(x: Tensor, *linears: BitLinear) -> tuple[Tensor, ...]:
    """Apply linears of one precision to one input, which is quantised once.

    The product is computed on integers that bfloat16 represents exactly; the scales are applied
    afterwards. Gradients pass the rounding unchanged, as if nothing were quantised.

    Parameters
    ----------
    x : Tensor, float, shape (..., columns)
    linears : BitLinear
        Each keeps its own weight scale.

    Returns
    -------
    tuple of Tensor, shape (..., rows) each
    """
    rows = [linear.weight.shape[0] for linear in linears]
    if linears[0].precision == "float":
        weight = torch.cat([linear.weight for linear in linears])
        return functional.linear(x, weight).split(rows, dim=-1)
    latent, scales = [], []
    for linear in linears:
        trits, scale = ternarise(linear.weight)
        latent.append(_straight_through(linear.weight, trits, _inverse(scale)))
        scales.append(scale.expand(linear.weight.shape[0]))
    integers, scale = quantise_activations(x)
    y = functional.linear(_straight_through(x, integers, _inverse(scale)), torch.cat(latent))
    return (y * (scale * torch.cat(scales))).split(rows, dim=-1)
