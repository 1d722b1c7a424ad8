"""Linear layers with ternary weights, int8 activations and straight-through gradients."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercel.errors import TercelError
from tercel.numerics.blocks import BLOCK, MOST_SHIFT
from tercel_quant.group_scales import encode_scales, group_magnitudes, spread

__all__ = [
    "PRECISIONS",
    "BitLinear",
    "project",
    "quantise_activations",
    "quantise_blocks",
    "ternarise",
    "ternarise_rows",
]

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


def ternarise_rows(weight: Tensor, granularity: str) -> tuple[Tensor, Tensor, Tensor | None]:
    """Round a matrix to trits with the mean magnitude of each row or group as scale.

    Parameters
    ----------
    weight : Tensor, float, shape (rows, columns)
    granularity : str
        ``row``, or ``group``: the scales are then those that the device holds.

    Returns
    -------
    trits : Tensor, float32, shape (rows, columns)
    scale : Tensor, float32, shape (rows,)
    multipliers : Tensor, int32, shape (rows, groups)
        ``None`` for ``row``.
    """
    weight = weight.detach().float()
    if granularity == "row":
        scale, multipliers = weight.abs().mean(1), None
        scales = scale[:, None]
    else:
        scale, multipliers = encode_scales(group_magnitudes(weight))
        scales = spread(multipliers * scale[:, None], weight.shape[1])
    return (weight * _inverse(scales)).round().clamp(-1, 1), scale, multipliers


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


def quantise_blocks(activations: Tensor) -> tuple[Tensor, Tensor]:
    """Round each token's vector to int8 with a shift for each block of 64 columns.

    A block whose largest magnitude is 2^-s of the row's, or less, has s further bits, up to 7.

    Parameters
    ----------
    activations : Tensor, float, shape (..., columns)

    Returns
    -------
    integers : Tensor, float32, shape (..., columns)
        The shifted int8 values, multiples of ``2^(7 - s)`` up to ``127 * 128`` in magnitude.
    scale : Tensor, float32, shape (..., 1)
        ``max|x| / 127 / 128``.
    """
    activations = activations.detach().float()
    width = activations.shape[-1]
    blocks = functional.pad(activations, (0, -width % BLOCK)).unflatten(-1, (-1, BLOCK))
    block = blocks.abs().amax(dim=-1, keepdim=True)
    largest = block.amax(dim=-2, keepdim=True)
    (m, e), (block_m, block_e) = torch.frexp(largest), torch.frexp(block)
    shift = (e - block_e - (block_m > m).int()).clamp(0, MOST_SHIFT)
    shift = torch.where(block > 0, shift, MOST_SHIFT)
    integers = (blocks * (127 * _inverse(largest)) * torch.exp2(shift.float())).round()
    integers = integers.clamp(-127, 127) * torch.exp2(MOST_SHIFT - shift.float())
    return integers.flatten(-2)[..., :width], largest[..., 0] / (127 << MOST_SHIFT)


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
    granularity : str
        Of the scales: ``tensor``, ``row`` or ``group``. With groups, activations have a shift for
        each block of columns, and products are computed in float32.

    Members
    -------
    weight : Parameter, float32, shape (rows, columns)
        Latent weights, which the optimiser updates.

    Raises
    ------
    TercelError
        If the precision is unknown.
    """

    def __init__(
        self, *, rows: int, columns: int, precision: str = "ternary", granularity: str = "tensor"
    ):
        super().__init__()
        if precision not in PRECISIONS:
            raise TercelError(
                f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}"
            )
        self.precision = precision
        self.granularity = granularity
        self.weight = nn.Parameter(torch.empty(rows, columns))

    def forward(self, x: Tensor) -> Tensor:
        """Map shape (..., columns) to (..., rows)."""
        return project(x, self)[0]

    def integers(self) -> tuple[Tensor, Tensor]:
        """The rounded weights: integers of the shape of the latent ones, and a scale a row (rows,).

        Gradients reach the latent weights as if nothing were rounded.
        """
        rows = self.weight.shape[0]
        if self.granularity == "tensor":
            trits, scale = ternarise(self.weight)
            return _straight_through(self.weight, trits, _inverse(scale)), scale.expand(rows)
        trits, scale, multipliers = ternarise_rows(self.weight, self.granularity)
        if multipliers is None:
            return _straight_through(self.weight, trits, _inverse(scale)[:, None]), scale
        rounded = trits * spread(multipliers, self.weight.shape[1])
        return _straight_through(self.weight, rounded, _inverse(scale)[:, None]), scale


def project(x: Tensor, *linears: BitLinear) -> tuple[Tensor, ...]:
    """Apply linears of one precision and granularity to one input, which is quantised once.

    The product is computed on integers that bfloat16 represents exactly, or with groups in float32;
    the scales are applied afterwards. Gradients pass the rounding unchanged, as if nothing were
    quantised.

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
    latent, scales = zip(*(linear.integers() for linear in linears), strict=True)
    if linears[0].granularity != "group":
        integers, scale = quantise_activations(x)
        y = functional.linear(_straight_through(x, integers, _inverse(scale)), torch.cat(latent))
        return (y * (scale * torch.cat(scales))).split(rows, dim=-1)
    integers, scale = quantise_blocks(x)
    with torch.autocast(x.device.type, enabled=False):  # multipliers need nine bits of significand
        inputs = _straight_through(x.float(), integers, _inverse(scale))
        y = functional.linear(inputs, torch.cat(latent))
    return (y * (scale * torch.cat(scales))).split(rows, dim=-1)
