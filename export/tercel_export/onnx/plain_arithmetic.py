"""Arithmetic in ordinary floating-point operators, for tools that know no others."""

import math

import numpy as np
import onnx_ir as ir

from tercel_export.onnx.arithmetic import LIMIT, Activations, Arithmetic

__all__ = ["PlainArithmetic"]

LEAST = 1e-5
"""Least divisor of a row, as in transformers' BitNet."""
MASKED = -3e38


class PlainArithmetic(Arithmetic):
    """Activations are int8 before each matrix; norms, attention and cache are float32.

    This is the arithmetic in which BitNet models are trained, and that of transformers.
    """

    def quantise(self, x: ir.Value, name: str | None = None) -> Activations:
        graph = self._graph
        largest = graph.op("Max", self.largest(x), graph.constant(LEAST))
        unit = graph.op("Div", graph.constant(LIMIT), largest)
        return Activations(
            values=self.round(graph.op("Mul", x, unit), name),
            scale=graph.op("Div", largest, graph.constant(LIMIT)),
        )

    def inverse_rms(self, x: ir.Value, width: int) -> ir.Value:
        graph = self._graph
        squares = graph.op("Mul", x, x)
        mean = graph.op("ReduceMean", squares, graph.constant([-1], np.int64), keepdims=1)
        shifted = graph.op("Add", mean, graph.constant(self._config.norm_epsilon))
        return graph.op("Reciprocal", graph.op("Sqrt", shifted))

    def silu(self, x: ir.Value) -> ir.Value:
        return self._graph.op("Mul", x, self._graph.op("Sigmoid", x))

    def cached(self, x: ir.Value, name: str) -> ir.Value:
        return self._graph.op("Identity", x, name=name)

    def attend(self, q: ir.Value, keys: ir.Value, values: ir.Value, visible: ir.Value) -> ir.Value:
        graph = self._graph
        products = graph.op("MatMul", q, graph.transpose(keys, 0, 1, 2, 4, 3))
        size = self._config.head_size
        scores = graph.op("Mul", products, graph.constant(1 / math.sqrt(size)))
        scores = graph.op("Where", visible, scores, graph.constant(MASKED))
        return graph.op("MatMul", graph.op("Softmax", scores, axis=-1), values)
