"""A frozen model in float32 whose gradients reach its inputs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tercel.errors import TercelError
from tercel_quant.reference import Layer, Linear, Weights, activate, rms_norm, rope, split_heads

__all__ = ["FrozenModel", "Past"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """Keys and values of committed positions, and their residual streams."""

    keys: list[Tensor]
    """By layer, ``[windows, kv_heads, time, head_size]``, rotated."""
    values: list[Tensor]
    stream: Tensor
    """``[windows, time, hidden_size]`` before the final norm."""

    @property
    def time(self) -> int:
        return self.stream.shape[1]


class FrozenModel:
    """The float reference of a model, all layers in memory, for nodes with any mask.

    Activations are rounded to int8 as in the reference; gradients pass the rounding unchanged.
    Nothing of the model itself is trained.

    Parameters
    ----------
    weights : Weights
    """

    def __init__(self, weights: Weights):
        self.config = weights.config
        self._weights = weights
        self._layers = [weights.layer(index) for index in range(self.config.layers)]
        self._norm, self._head = weights.norm(), weights.head()
        self._cos, self._sin = rope(self.config, self.config.context)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embedding rows ``[..., hidden_size]`` of tokens ``[...]``."""
        return self._weights.embed(tokens.reshape(-1)).view(*tokens.shape, -1)

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Past:
        """Run whole windows.

        Parameters
        ----------
        tokens : Tensor, int64, shape (windows, time)
            Every window starts at position 0.

        Raises
        ------
        TercelError
            If a window is longer than the context.
        """
        time = tokens.shape[1]
        if time > self.config.context:
            raise TercelError(f"a window has at most {self.config.context} tokens, not {time}")
        empty = self._empty(len(tokens))
        visible = torch.ones(time, time, dtype=torch.bool).tril()
        return self.run(self.embed(tokens), torch.arange(time), empty, visible)

    def run(self, rows: Tensor, positions: Tensor, past: Past, visible: Tensor) -> Past:
        """Run nodes after a past.

        Parameters
        ----------
        rows : Tensor, float32, shape (windows, nodes, hidden_size)
            Initial residual streams.
        positions : Tensor, int64, shape (nodes,)
        past : Past
        visible : Tensor, bool, shape (nodes, past.time + nodes)
            The keys that each node attends to: those of the past, then the nodes' own.

        Returns
        -------
        Past
            Of the nodes alone.
        """
        table = self._cos[positions], self._sin[positions]
        stream, keys, values = rows, [], []
        for index, layer in enumerate(self._layers):
            stream, key, value = self._layer(
                layer, stream, table, past.keys[index], past.values[index], visible
            )
            keys.append(key)
            values.append(value)
        return Past(keys=keys, values=values, stream=stream)

    def logits(self, stream: Tensor) -> Tensor:
        """Logits ``[..., vocab_size]`` of residual streams ``[..., hidden_size]``."""
        return functional.linear(rms_norm(stream, self._norm, self.config.norm_epsilon), self._head)

    def _empty(self, windows: int) -> Past:
        config = self.config
        nothing = torch.zeros(windows, config.kv_heads, 0, config.head_size)
        stream = torch.zeros(windows, 0, config.hidden_size)
        return Past(keys=[nothing] * config.layers, values=[nothing] * config.layers, stream=stream)

    def _layer(
        self,
        layer: Layer,
        x: Tensor,
        table: tuple[Tensor, Tensor],
        past_keys: Tensor,
        past_values: Tensor,
        visible: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        config, gains, linears = self.config, layer.gains, layer.linears
        epsilon = config.norm_epsilon
        normed = _Rounded(rms_norm(x, gains["attention_norm"], epsilon))
        q, k, v = split_heads(config, (normed.through(linears[name]) for name in "qkv"), gains)
        q, k = _rotate(q, *table), _rotate(k, *table)
        mixed = functional.scaled_dot_product_attention(
            q,
            torch.cat((past_keys, k), dim=2),
            torch.cat((past_values, v), dim=2),
            attn_mask=visible,
            enable_gqa=config.heads != config.kv_heads,
        )
        mixed = mixed.transpose(1, 2).flatten(2)
        if config.sub_norms:
            mixed = rms_norm(mixed, gains["attention_sub_norm"], epsilon)
        x = x + _Rounded(mixed).through(linears["o"])
        normed = _Rounded(rms_norm(x, gains["mlp_norm"], epsilon))
        inner = activate(config, normed.through(linears["gate"]), normed.through(linears["up"]))
        if config.sub_norms:
            inner = rms_norm(inner, gains["mlp_sub_norm"], epsilon)
        return x + _Rounded(inner).through(linears["down"]), k, v


class _Rounded:
    """An input of linears of one kind, rounded to int8 once."""

    def __init__(self, x: Tensor):
        self._x = x
        self._rounded: Any = None

    def through(self, linear: Linear) -> Tensor:
        if linear.scale is None:
            return functional.linear(self._x, linear.weight)
        if self._rounded is None:
            self._rounded = _Round.apply(self._x, linear)
        integers, unit = self._rounded
        # Without groups, sums of at most 127 * columns are exact in float32.
        return functional.linear(integers, linear.weight) * (unit * linear.scale)


class _Round(torch.autograd.Function):
    """Integers and unit of activations; the gradient is that of ``activations / unit``."""

    @staticmethod
    def forward(ctx, x: Tensor, linear: Linear) -> tuple[Tensor, Tensor]:
        integers, unit = linear.quantise(x)
        ctx.save_for_backward(unit)
        ctx.mark_non_differentiable(unit)
        return integers, unit

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None]:
        (unit,) = ctx.saved_tensors
        return torch.where(unit > 0, gradients[0] / unit, 0), None


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
