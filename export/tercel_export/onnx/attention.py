"""Attention over past and present keys: rotation, the cache and heads."""

import onnx_ir as ir

from tercel.config import ModelConfig
from tercel_export.onnx.arithmetic import Arithmetic
from tercel_export.onnx.graph import GraphTape
from tercel_export.onnx.positions import Positions

__all__ = ["Attention"]


class Attention:
    """The attention of every layer of a graph."""

    def __init__(
        self,
        graph: GraphTape,
        arithmetic: Arithmetic,
        config: ModelConfig,
        positions: Positions,
    ):
        self._graph = graph
        self._arithmetic = arithmetic
        self._config = config
        self._shared = positions

    def layer(
        self,
        layer: int,
        qkv: tuple[ir.Value, ir.Value, ir.Value],
        past: tuple[ir.Value | None, ir.Value | None],
    ) -> tuple[ir.Value, tuple[ir.Value, ir.Value]]:
        """Record one layer.

        Parameters
        ----------
        qkv
            ``[batch, sequence, heads * head_size]`` each.
        past
            Keys and values, float32 ``[batch, kv_heads, past, head_size]``; ``None`` for a graph
            without a past.

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
        group = config.heads // config.kv_heads
        output = self._arithmetic.attend(
            graph.reshape(queries, 0, config.kv_heads, group, -1, config.head_size),
            graph.unsqueeze(keys, 2),
            graph.unsqueeze(values, 2),
            self._shared.visible,
        )
        output = graph.reshape(output, 0, config.heads, -1, config.head_size)
        output = graph.transpose(output, 0, 2, 1, 3)
        return graph.reshape(output, 0, 0, config.q_size), (keys, values)

    def _grown(self, layer: int, kind: str, past: ir.Value | None, new: ir.Value) -> ir.Value:
        """Past and new rows ``[batch, kv_heads, total, head_size]``, a graph output if there is a
        past."""
        graph = self._graph
        cached = self._arithmetic.cached(new, f"layers.{layer}.{kind}.cached")
        cached = graph.transpose(cached, 0, 2, 1, 3)
        if past is None:
            return cached
        return graph.op("Concat", past, cached, name=f"present.{layer}.{kind}", axis=2)

    def _rotate(self, x: ir.Value) -> ir.Value:
        graph, shared = self._graph, self._shared
        a, b = graph.split(x, 2, axis=-1)
        first = graph.op("Sub", graph.op("Mul", a, shared.cosine), graph.op("Mul", b, shared.sine))
        second = graph.op("Add", graph.op("Mul", b, shared.cosine), graph.op("Mul", a, shared.sine))
        return graph.op("Concat", first, second, axis=-1)
