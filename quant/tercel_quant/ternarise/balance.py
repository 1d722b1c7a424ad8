"""Equalisation of the column magnitudes of a layer, so that one scale fits a whole matrix.

A factor on a norm's gain cancels against its inverse on the columns of the following linears. A
factor on a row of ``v`` or ``up`` cancels against its inverse on the columns of ``o`` or ``down``
that the row feeds.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from tercel.config import ModelConfig

__all__ = ["balance"]


def balance(
    config: ModelConfig, matrices: Mapping[str, Tensor], gains: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Equalise the columns of a layer; the layer computes the same function.

    Parameters
    ----------
    matrices : mapping of str to Tensor, float32, shape (rows, columns)
        The seven linears of a layer without sub-norms.
    gains : mapping of str to Tensor, float32, shape (hidden_size,)

    Returns
    -------
    matrices, gains : dict
    """
    matrices, gains = dict(matrices), dict(gains)
    group = config.heads // config.kv_heads
    # Every query head of a group reads the same value row.
    shape = (config.hidden_size, config.kv_heads, group, config.head_size)
    o = matrices["o"].view(shape)
    factor = (_size(o, (0, 2)) / _size(matrices["v"].view(shape[1], shape[3], -1), 2)).sqrt()
    factor = _safe(factor)
    matrices["v"] = matrices["v"] * factor.reshape(-1, 1)
    matrices["o"] = (o / factor[:, None]).reshape(matrices["o"].shape)
    factor = _safe((_size(matrices["down"], 0) / _size(matrices["up"], 1)).sqrt())
    matrices["up"] = matrices["up"] * factor[:, None]
    matrices["down"] = matrices["down"] / factor
    for norm, names in (("attention_norm", "qkv"), ("mlp_norm", ("gate", "up"))):
        factor = _safe(_size(torch.cat([matrices[name] for name in names]), 0))
        gains[norm] = gains[norm] * factor
        for name in names:
            matrices[name] = matrices[name] / factor
    return matrices, gains


def _size(values: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """Root mean square over some axes."""
    return values.square().mean(axes).sqrt()


def _safe(factor: Tensor) -> Tensor:
    """Normalise factors to mean 1; unusable ones (a channel of zeros) become 1."""
    usable = factor.isfinite() & (factor > 0)
    if not usable.any():
        return torch.ones_like(factor)
    return torch.where(usable, factor / factor[usable].mean(), 1.0)
