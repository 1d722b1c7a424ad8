"""The float reference: a model's results without the device's arithmetic, layer by layer.

Ternary linears take int8 activations (absmax per token; those with groups of scales a shift per 64
columns as well); everything else is float32: products, attention, norms, residuals, and the
dequantised rows of embedding and head. All windows of the
text pass through a layer before the next is read from :class:`Weights`, so that only one layer is
in memory.
"""

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tercel.config import ModelConfig
from tercel.numerics import rope_table
from tercel_quant.bitlinear import quantise_activations, quantise_blocks
from tercel_quant.importers.ternary import Ternary

__all__ = [
    "Layer",
    "Linear",
    "Weights",
    "activate",
    "attend",
    "head_logits",
    "hidden_states",
    "rms_norm",
    "rope",
    "round_cache",
    "run_attention",
    "run_layer",
    "run_mlp",
    "split_heads",
    "token_losses",
]

TOKENS = 2048
"""Positions that a layer processes together."""
HEAD_TOKENS = 256
"""Positions whose logits are computed together."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A matrix, ternary or plain."""

    weight: Tensor
    """float32, shape (rows, columns): trits, trits times multipliers, or the weights themselves."""
    scale: float | Tensor | None
    """The trits' scale, one or one a row (float32); ``None`` for a plain linear with float
    activations."""
    blocks: bool = False
    """Int8 activations have a shift for each block of columns."""

    @classmethod
    def of(cls, ternary: Ternary) -> "Linear":
        """The linear of a ternary matrix."""
        return cls(
            weight=ternary.integers(),
            scale=ternary.scale,
            blocks=ternary.multipliers is not None,
        )

    def plain(self) -> "Linear":
        """The same matrix with float activations."""
        scale = self.scale
        if isinstance(scale, Tensor):
            scale = scale[:, None]
        return Linear(weight=self.weight if scale is None else self.weight * scale, scale=None)

    def quantise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Activations (..., columns) as integers of that shape, and their scale (..., 1)."""
        return quantise_blocks(x) if self.blocks else quantise_activations(x)

    def __call__(self, x: Tensor) -> Tensor:
        """Map float32 of shape (..., columns) to (..., rows)."""
        if self.scale is None:
            return functional.linear(x, self.weight)
        # Without groups, sums of at most 127 * columns are exact in float32.
        integers, unit = self.quantise(x)
        return functional.linear(integers, self.weight) * (unit * self.scale)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer's tensors under their canonical names."""

    linears: Mapping[str, Linear]
    gains: Mapping[str, Tensor]


class Weights(abc.ABC):
    """A source of a model's tensors for the reference."""

    @property
    @abc.abstractmethod
    def config(self) -> ModelConfig: ...

    @abc.abstractmethod
    def embed(self, tokens: Tensor) -> Tensor:
        """Embedding rows of int64 tokens (...), float32, shape (..., hidden_size)."""

    @abc.abstractmethod
    def layer(self, index: int) -> Layer:
        """The tensors of one layer, read anew at each call."""

    @abc.abstractmethod
    def norm(self) -> Tensor:
        """The final norm's gain, float32, shape (hidden_size,)."""

    @abc.abstractmethod
    def head(self) -> Tensor:
        """The head's rows, float32, shape (vocab_size, hidden_size)."""


def rms_norm(x: Tensor, gain: Tensor, epsilon: float) -> Tensor:
    """Divide the last axis by its root mean square and multiply by the gain; shape kept."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * gain


def rope(config: ModelConfig, time: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the first positions, float32, shape (time, head_size / 2) each."""
    cos, sin = rope_table(time, config.head_size, config.rope_base, config.rope_factors)
    return torch.from_numpy(cos), torch.from_numpy(sin)


def split_heads(
    config: ModelConfig, qkv: Iterable[Tensor], gains: Mapping[str, Tensor]
) -> list[Tensor]:
    """Queries, keys and values by head, normed if the model does so, but not rotated.

    Shape (windows, time, q_size or kv_size) becomes (windows, heads, time, head_size).
    """
    heads = [y.unflatten(-1, (-1, config.head_size)).transpose(1, 2) for y in qkv]
    if config.qk_norm:
        for index, name in enumerate(("q_norm", "k_norm")):
            heads[index] = rms_norm(heads[index], gains[name], config.norm_epsilon)
    return heads


def attend(
    config: ModelConfig,
    qkv: Sequence[Tensor],
    table: tuple[Tensor, Tensor],
    gains: Mapping[str, Tensor],
    *,
    int8: bool = False,
) -> Tensor:
    """Causal attention with rotate-half RoPE, after norms of queries and keys if there are any.

    Parameters
    ----------
    qkv : three Tensor, float32, shape (windows, time, q_size or kv_size)
    table : pair of Tensor
        The result of :func:`rope`.
    gains : mapping of str to Tensor
        Those of the layer.
    int8 : bool
        Round queries and cache to int8, as the device does.

    Returns
    -------
    Tensor, float32, shape (windows, time, q_size)
    """
    heads = split_heads(config, qkv, gains)
    heads[:2] = [_rotate(head, *table) for head in heads[:2]]
    if int8:
        integers, scale = quantise_activations(heads[0])
        heads = [integers * scale, *(round_cache(head) for head in heads[1:])]
    mixed = functional.scaled_dot_product_attention(
        *heads, is_causal=True, enable_gqa=config.heads != config.kv_heads
    )
    return mixed.transpose(1, 2).flatten(2)


def round_cache(x: Tensor, *, levels: int = 127) -> Tensor:
    """Round heads as the KV cache does: integers with a bfloat16 scale, rounded up, for each.

    Parameters
    ----------
    x : Tensor, float32, shape (..., head_size)
    levels : int
        Largest integer.
    """
    scale = x.abs().amax(-1, keepdim=True) / levels
    rounded = ((scale.view(torch.int32) + 0xFFFF) >> 16 << 16).view(torch.float32)
    return (x / rounded.clamp_min(1e-30)).round().clamp(-levels, levels) * rounded


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def activate(config: ModelConfig, gate: Tensor, up: Tensor) -> Tensor:
    """The gated MLP's inner product: ``silu`` or ``relu2`` of the gate, times up."""
    gated = functional.silu(gate) if config.activation == "silu" else gate.relu().square()
    return gated * up


def run_attention(
    config: ModelConfig,
    layer: Layer,
    x: Tensor,
    table: tuple[Tensor, Tensor],
    *,
    int8: bool = False,
) -> Tensor:
    """Map the residual stream (windows, time, hidden_size) to its value after attention.

    ``int8`` as in :func:`attend`.
    """
    linears, gains, epsilon = layer.linears, layer.gains, config.norm_epsilon
    normed = rms_norm(x, gains["attention_norm"], epsilon)
    mixed = attend(config, [linears[name](normed) for name in "qkv"], table, gains, int8=int8)
    if config.sub_norms:
        mixed = rms_norm(mixed, gains["attention_sub_norm"], epsilon)
    return x + linears["o"](mixed)


def run_mlp(config: ModelConfig, layer: Layer, x: Tensor) -> Tensor:
    """Map the residual stream (windows, time, hidden_size) to its value after the MLP."""
    linears, gains, epsilon = layer.linears, layer.gains, config.norm_epsilon
    normed = rms_norm(x, gains["mlp_norm"], epsilon)
    inner = activate(config, linears["gate"](normed), linears["up"](normed))
    if config.sub_norms:
        inner = rms_norm(inner, gains["mlp_sub_norm"], epsilon)
    return x + linears["down"](inner)


def run_layer(
    config: ModelConfig,
    layer: Layer,
    x: Tensor,
    table: tuple[Tensor, Tensor],
    *,
    int8: bool = False,
) -> Tensor:
    """Map the residual stream, float32, shape (windows, time, hidden_size), to its next value.

    ``int8`` as in :func:`attend`.
    """
    return run_mlp(config, layer, run_attention(config, layer, x, table, int8=int8))


@torch.no_grad()
def hidden_states(weights: Weights, tokens: Tensor) -> Tensor:
    """The residual stream before the final norm.

    Parameters
    ----------
    tokens : Tensor, int64, shape (windows, time)
        Every window starts at position 0.

    Returns
    -------
    Tensor, float32, shape (windows, time, hidden_size)
    """
    config = weights.config
    table = rope(config, tokens.shape[1])
    stream = weights.embed(tokens)
    together = max(1, TOKENS // tokens.shape[1])
    for index in range(config.layers):
        layer = weights.layer(index)
        for part in stream.split(together):
            part.copy_(run_layer(config, layer, part, table))
    return stream


@torch.no_grad()
def head_logits(weights: Weights, stream: Tensor) -> Iterator[Tensor]:
    """Logits of a residual stream, a few positions at a time.

    Parameters
    ----------
    stream : Tensor, float32, shape (positions, hidden_size)

    Yields
    ------
    Tensor, float32, shape (some positions, vocab_size)
    """
    gain, head = weights.norm(), weights.head()
    for part in stream.split(HEAD_TOKENS):
        yield functional.linear(rms_norm(part, gain, weights.config.norm_epsilon), head)


def token_losses(weights: Weights, tokens: Tensor) -> Tensor:
    """Negative log-likelihood of every token except the first of each window.

    Parameters
    ----------
    tokens : Tensor, int64, shape (windows, time)

    Returns
    -------
    Tensor, float32, shape (windows, time - 1), in nats
    """
    stream = hidden_states(weights, tokens)[:, :-1].flatten(0, 1)
    targets = tokens[:, 1:].flatten().split(HEAD_TOKENS)
    losses = [
        functional.cross_entropy(logits, target, reduction="none")
        for logits, target in zip(head_logits(weights, stream), targets, strict=True)
    ]
    return torch.cat(losses).view(len(tokens), -1)
