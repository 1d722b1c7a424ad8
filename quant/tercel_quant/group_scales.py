"""Scales of groups of columns as the device holds them: 10-bit multipliers of a row's scale."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tercel.image import quantise_scales
from tercel.numerics import GROUP

__all__ = ["GROUP", "encode_scales", "group_magnitudes", "spread"]


def encode_scales(scales: Tensor) -> tuple[Tensor, Tensor]:
    """Row scales and multipliers whose products are closest to the scales of groups.

    Parameters
    ----------
    scales : Tensor, float, shape (rows, groups)
        Not negative.

    Returns
    -------
    row_scales : Tensor, float32, shape (rows,)
    multipliers : Tensor, int32, shape (rows, groups)
    """
    return _encode(scales)


def _quantise(scales: Tensor) -> tuple[Tensor, Tensor]:
    found = quantise_scales(scales.detach().cpu().numpy())
    rows, multipliers = found.row_scale, found.multipliers.astype(np.int32)
    return torch.from_numpy(rows).to(scales.device), torch.from_numpy(multipliers).to(scales.device)


# torch's compiler would translate NumPy, and its results might differ.
_encode: Any = torch.compiler.disable(_quantise)


def spread(scales: Tensor, columns: int) -> Tensor:
    """The scale of each column, shape (rows, columns), of scales of groups (rows, groups)."""
    return scales.repeat_interleave(GROUP, 1)[:, :columns]


def by_group(values: Tensor) -> Tensor:
    """Values (rows, columns) as (rows, groups, 128); the last group is padded with zeros."""
    return functional.pad(values, (0, -values.shape[1] % GROUP)).unflatten(1, (-1, GROUP))


def group_magnitudes(weight: Tensor) -> Tensor:
    """Mean magnitude of the columns of each group, shape (rows, groups)."""
    count = by_group(torch.ones(1, weight.shape[1], device=weight.device)).sum(2)
    return by_group(weight.abs()).sum(2) / count
