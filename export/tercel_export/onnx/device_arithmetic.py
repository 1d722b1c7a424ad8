"""The device's arithmetic, bit for bit."""

import numpy as np
import onnx_ir as ir

from tercel.config import ModelConfig
from tercel.numerics.quantise import ACCUMULATORS, TREE
from tercel_export.onnx.arithmetic import LIMIT, Activations, Arithmetic
from tercel_export.onnx.device_attention import DeviceAttention
from tercel_export.onnx.device_functions import DeviceFunctions
from tercel_export.onnx.graph import GraphTape

__all__ = ["DeviceArithmetic"]


class DeviceArithmetic(Arithmetic):
    """The operations of :mod:`tercel.numerics` as integer and float32 operators.

    Results equal the device's, except that subnormal numbers are not made zeros.
    """

    def __init__(self, graph: GraphTape, config: ModelConfig):
        super().__init__(graph, config)
        self._functions = DeviceFunctions(graph)
        self._attention = DeviceAttention(self, graph, config)

    def quantise(self, x: ir.Value, name: str | None = None) -> Activations:
        graph = self._graph
        largest = self.largest(x)
        unit = graph.op("Mul", self._functions.reciprocal(largest), graph.constant(LIMIT))
        unit = graph.op("Min", unit, graph.constant(np.finfo(np.float32).max))
        return Activations(
            values=self.round(graph.op("Mul", x, unit), name),
            scale=graph.op("Mul", largest, graph.constant(1 / LIMIT)),
        )

    def inverse_rms(self, x: ir.Value, width: int) -> ir.Value:
        graph = self._graph
        mean = graph.op("Mul", self._sum_of_squares(x, width), graph.constant(1 / width))
        shifted = graph.op("Add", mean, graph.constant(self._config.norm_epsilon))
        return self._functions.rsqrt(shifted)

    def silu(self, x: ir.Value) -> ir.Value:
        return self._functions.silu(x)

    def cached(self, x: ir.Value, name: str) -> ir.Value:
        """Int8 times a bfloat16 scale, which is exact in float32."""
        graph, functions = self._graph, self._functions
        scale = graph.op("Mul", self.largest(x), graph.constant(1 / LIMIT))
        scale = functions.bfloat16_up(scale)
        values = self.round(graph.op("Mul", x, functions.reciprocal(scale)))
        return graph.op("Mul", values, scale, name=name)

    def attend(self, q: ir.Value, keys: ir.Value, values: ir.Value, visible: ir.Value) -> ir.Value:
        return self._attention.attend(q, keys, values, visible)

    def _sum_of_squares(self, x: ir.Value, width: int) -> ir.Value:
        """As :func:`tercel.numerics.sum_of_squares`, float32 ``[batch, sequence, 1]``."""
        graph = self._graph
        squares = graph.op("Mul", x, x)
        if padding := -width % (TREE * ACCUMULATORS):
            after = graph.constant([0, 0, 0, 0, 0, padding], np.int64)
            squares = graph.op("Pad", squares, after)
        groups = graph.reshape(squares, 0, 0, -1, ACCUMULATORS, TREE)
        terms = graph.reshape(self._neighbours(groups, TREE), 0, 0, -1, ACCUMULATORS)
        total, *others = graph.split(terms, (width + padding) // (TREE * ACCUMULATORS), axis=2)
        for term in others:
            total = graph.op("Add", total, term)
        return graph.reshape(self._neighbours(total, ACCUMULATORS), 0, 0, 1)

    def _neighbours(self, x: ir.Value, width: int) -> ir.Value:
        """Sum the last axis, whose length is a power of two, by a binary tree of neighbours."""
        graph = self._graph
        ends, axes, steps = (graph.constant([n], np.int64) for n in (width, -1, 2))
        while width > 1:
            even, odd = (
                graph.op("Slice", x, graph.constant([first], np.int64), ends, axes, steps)
                for first in (0, 1)
            )
            x = graph.op("Add", even, odd)
            width //= 2
        return x
