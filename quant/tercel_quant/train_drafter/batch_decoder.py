"""Decoding of many sequences at once with the float reference of a model."""

import torch
from torch import Tensor
from torch.nn import functional

from tercel_quant.reference import Layer, Weights, activate, rms_norm, rope, split_heads

__all__ = ["BatchDecoder"]


class BatchDecoder:
    """The float reference with all layers in memory and a cache of keys and values.

    The device's own arithmetic differs from it by a few thousandths of perplexity, and has no
    batches.

    Parameters
    ----------
    weights : Weights
    sequences : int
        Sequences that are decoded together.
    context : int
        Most positions of a sequence.
    """

    def __init__(self, weights: Weights, *, sequences: int, context: int):
        self.config = config = weights.config
        self._embedding = weights.embed(torch.arange(config.vocab_size))
        self._layers = [weights.layer(index) for index in range(config.layers)]
        self._norm, self._head = weights.norm(), weights.head()
        self._cos, self._sin = rope(config, context)
        shape = (config.layers, 2, sequences, config.kv_heads, context, config.head_size)
        self._cache = torch.zeros(shape)
        self._length = 0

    def reset(self) -> None:
        """Forget the sequences."""
        self._length = 0

    @torch.no_grad()
    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Append tokens to the sequences.

        Parameters
        ----------
        tokens : Tensor, int64, shape (sequences, time)

        Returns
        -------
        stream : Tensor, float32, shape (sequences, time, hidden_size)
            Residual stream before the final norm.
        logits : Tensor, float32, shape (sequences, time, vocab_size)
        """
        time = tokens.shape[1]
        stream = self._embedding[tokens]
        for index, layer in enumerate(self._layers):
            stream = self._layer(index, layer, stream)
        self._length += time
        normed = rms_norm(stream, self._norm, self.config.norm_epsilon)
        return stream, functional.linear(normed, self._head)

    def _layer(self, index: int, layer: Layer, x: Tensor) -> Tensor:
        config, linears, gains = self.config, layer.linears, layer.gains
        epsilon = config.norm_epsilon
        normed = rms_norm(x, gains["attention_norm"], epsilon)
        qkv = split_heads(config, (linears[name](normed) for name in "qkv"), gains)
        mixed = self._attend(index, *qkv)
        if config.sub_norms:
            mixed = rms_norm(mixed, gains["attention_sub_norm"], epsilon)
        x = x + linears["o"](mixed)
        normed = rms_norm(x, gains["mlp_norm"], epsilon)
        inner = activate(config, linears["gate"](normed), linears["up"](normed))
        if config.sub_norms:
            inner = rms_norm(inner, gains["mlp_sub_norm"], epsilon)
        return x + linears["down"](inner)

    def _attend(self, index: int, *qkv: Tensor) -> Tensor:
        config, start = self.config, self._length
        q, k, v = qkv
        end = start + q.shape[2]
        cos, sin = self._cos[start:end], self._sin[start:end]
        keys, values = self._cache[index]
        keys[:, :, start:end] = _rotate(k, cos, sin)
        values[:, :, start:end] = v
        visible = torch.ones(end - start, end, dtype=torch.bool).tril(start)
        mixed = functional.scaled_dot_product_attention(
            _rotate(q, cos, sin),
            keys[:, :, :end],
            values[:, :, :end],
            attn_mask=visible,
            enable_gqa=config.heads != config.kv_heads,
        )
        return mixed.transpose(1, 2).flatten(2)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
