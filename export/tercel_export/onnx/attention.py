"""Attention over past and present keys: RoPE, the cache, heads and what each position sees."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tercel.config import ModelConfig
from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.arithmetic import Arithmetic
from tercel_export.onnx.graph import GraphTape

__all__ = ["Attention"]


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Values that all layers share."""

    visible: ir.Value
    """bool ``[batch, 1, 1, sequence, total]``."""
    cosine: ir.Value
    """float32 ``[batch, sequence, 1, head_size / 2]``."""
    sine: ir.Value


class Attention:
    """The attention of every layer of a graph.

    Parameters
    ----------
    graph, arithmetic
    model
        Its RoPE table becomes two initializers.
    input_ids, attention_mask, position_ids
        int64 ``[batch, sequence]``, ``[batch, total]`` and ``[batch, sequence]``.
    """

    def __init__(
        self,
        graph: GraphTape,
        arithmetic: Arithmetic,
        model: ModelTensors,
        *,
        input_ids: ir.Value,
        attention_mask: ir.Value,
        position_ids: ir.Value,
    ):
        self._graph = graph
        self._arithmetic = arithmetic
        self._config: ModelConfig = model.config
        shape = (model.config.context, model.config.head_size // 2)
        cosine = graph.tensor("rope.cosine", shape, lambda: model.rope()[0])
        sine = graph.tensor("rope.sine", shape, lambda: model.rope()[1])
        self._shared = Positions(
            visible=self._visible(input_ids, attention_mask),
            cosine=graph.unsqueeze(graph.op("Gather", cosine, position_ids), 2),
            sine=graph.unsqueeze(graph.op("Gather", sine, position_ids), 2),
        )

    def _visible(self, input_ids: ir.Value, attention_mask: ir.Value) -> ir.Value:
        """A query sees what the mask allows, up to its own place; the last place is the last."""
        graph = self._graph

        def extent(x: ir.Value) -> ir.Value:
            return graph.op("Squeeze", graph.op("Shape", x, start=1, end=2))

        zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
        total = extent(attention_mask)
        first = graph.op("Sub", total, extent(input_ids))
        keys = graph.op("Range", zero, total, one)
        queries = graph.unsqueeze(graph.op("Range", first, total, one), 1)
        causal = graph.op("LessOrEqual", keys, queries)
        allowed = graph.unsqueeze(graph.cast(attention_mask, ir.DataType.BOOL), 1)
        return graph.unsqueeze(graph.op("And", causal, allowed), 1, 2)

    def layer(
        self,
        layer: int,
        qkv: tuple[ir.Value, ir.Value, ir.Value],
        past: tuple[ir.Value, ir.Value],
    ) -> tuple[ir.Value, tuple[ir.Value, ir.Value]]:
        """Record one layer.

        Parameters
        ----------
        qkv
            ``[batch, sequence, heads * head_size]`` each.
        past
            Keys and values, float32 ``[batch, kv_heads, past, head_size]``.

        Returns
        -------
        attended, present
            ``[batch, sequence, heads * head_size]``; keys and values of ``past + sequence``.
        """
        graph, config = self._graph, self._config
        q, k, v = (graph.reshape(x, 0, 0, -1, config.head_size) for x in qkv)
        keys = self._grown(layer, "key", past[0], self._rotate(k))
        values = self._grown(layer, "value", past[1], v)
        queries = graph.transpose(self._rotate(q), 0, 2, 1, 3)
        output = self._arithmetic.attend(queries, keys, values, self._shared.visible)
        output = graph.reshape(output, 0, config.heads, -1, config.head_size)
        output = graph.transpose(output, 0, 2, 1, 3)
        return graph.reshape(output, 0, 0, config.q_size), (keys, values)

    def _grown(self, layer: int, kind: str, past: ir.Value, new: ir.Value) -> ir.Value:
        """Past and new rows ``[batch, kv_heads, total, head_size]``, a graph output."""
        graph = self._graph
        cached = self._arithmetic.cached(new, f"layers.{layer}.{kind}.cached")
        cached = graph.transpose(cached, 0, 2, 1, 3)
        return graph.op("Concat", past, cached, name=f"present.{layer}.{kind}", axis=2)

    def _rotate(self, x: ir.Value) -> ir.Value:
        graph, shared = self._graph, self._shared
        a, b = graph.split(x, 2, axis=-1)
        first = graph.op("Sub", graph.op("Mul", a, shared.cosine), graph.op("Mul", b, shared.sine))
        second = graph.op("Add", graph.op("Mul", b, shared.cosine), graph.op("Mul", a, shared.sine))
        return graph.op("Concat", first, second, axis=-1)
