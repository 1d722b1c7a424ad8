"""The device's softmax attention, in exact integers as in :mod:`tercel.numerics.attention`."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tercel.config import ModelConfig
from tercel.numerics.attention import LAST_SHIFT, SCORE_BITS, SUM_SHIFT, WEIGHT_SHIFT
from tercel.numerics.functions import EXP2_FRACTION_BITS, LOG2_E, exp2_significands
from tercel_export.onnx.arithmetic import LIMIT, Arithmetic
from tercel_export.onnx.device_functions import DeviceFunctions
from tercel_export.onnx.graph import GraphTape

__all__ = ["DeviceAttention"]

INT32, INT64, FLOAT, DOUBLE = (
    ir.DataType.INT32,
    ir.DataType.INT64,
    ir.DataType.FLOAT,
    ir.DataType.DOUBLE,
)
LOWEST = -(1 << (SCORE_BITS - 1))
SMALLEST = 2.0**-126
BIAS = 127


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows of the cache, ``[batch, kv_heads, 1, total, head_size]``."""

    values: ir.Value
    """Integers as float32."""
    scale: ir.Value
    """float32 ``[batch, kv_heads, 1, total, 1]``, a bfloat16."""


class DeviceAttention:
    """Attention over a cache of int8 rows with bfloat16 scales, stored as their products."""

    def __init__(self, arithmetic: Arithmetic, graph: GraphTape, config: ModelConfig):
        self._arithmetic = arithmetic
        self._graph = graph
        self._config = config
        self._functions = DeviceFunctions(graph)

    def attend(self, q: ir.Value, keys: ir.Value, values: ir.Value, visible: ir.Value) -> ir.Value:
        """As :meth:`tercel_export.onnx.arithmetic.Arithmetic.attend`."""
        graph = self._graph
        scores = self._scores(q, self._separated(keys))
        scores = graph.op("Where", visible, scores, self._integer(LOWEST))
        highest = graph.op("ReduceMax", scores, graph.constant([-1], np.int64), keepdims=1)
        # Scores are base-2 logarithms, so what is below the highest is a power of two to each.
        below = graph.op("Sub", highest, scores)
        fraction = graph.op(
            "BitwiseAnd",
            graph.op("Sub", scores, highest),
            self._integer((1 << EXP2_FRACTION_BITS) - 1),
        )
        table = graph.constant(exp2_significands(), np.int32)
        significand = graph.op("Gather", table, fraction)
        octaves = self._functions.shifted_right(
            graph.op("Add", below, fraction), EXP2_FRACTION_BITS
        )
        rows = self._separated(values)
        weights, largest = self._weights(significand, octaves, rows, visible)
        output = self._weighted_sum(weights, rows)
        total = self._total(significand, octaves, visible)
        inverse = self._functions.reciprocal(graph.cast(total, FLOAT))
        shift = graph.op("Add", largest, self._integer(SUM_SHIFT - 1))
        scale = self._functions.scaled(inverse, shift)
        return graph.op("Mul", output, scale)

    def _integer(self, value: int) -> ir.Value:
        return self._graph.constant(value, np.int32)

    def _separated(self, x: ir.Value) -> _Rows:
        """Integers and scales of rows ``integer * scale``, whose largest integer is 126 or 127.

        The scale is ``largest / 127`` if that is a bfloat16 which divides the whole row, and
        ``largest / 126`` otherwise. Both fit only a row without other magnitudes than 0 and 126.
        """
        graph = self._graph
        largest = self._arithmetic.largest(x)
        full = graph.op("Div", largest, graph.constant(LIMIT))
        counts = graph.op("Div", x, graph.op("Max", full, graph.constant(SMALLEST)))
        rest = self._arithmetic.largest(graph.op("Sub", counts, graph.op("Round", counts)))
        whole = graph.op("Equal", rest, graph.constant(0))
        fits = graph.op("And", whole, self._functions.is_bfloat16(full))
        scale = graph.op("Where", fits, full, graph.op("Div", largest, graph.constant(LIMIT - 1)))
        divisor = graph.op("Max", scale, graph.constant(SMALLEST))
        return _Rows(values=graph.op("Div", x, divisor), scale=scale)

    def _scores(self, q: ir.Value, keys: _Rows) -> ir.Value:
        """Fixed point, int32 ``[batch, kv_heads, group, sequence, total]``."""
        graph = self._graph
        row = self._arithmetic.quantise(q)
        factor = graph.constant(LOG2_E / np.sqrt(np.float32(self._config.head_size)))
        query_scale = graph.op("Mul", row.scale, factor)
        scale = graph.op("Mul", query_scale, graph.transpose(keys.scale, 0, 1, 2, 4, 3))
        products = graph.op("MatMul", row.values, graph.transpose(keys.values, 0, 1, 2, 4, 3))
        scaled = graph.op("Mul", products, scale)
        steps = graph.op("Mul", scaled, graph.constant(1 << EXP2_FRACTION_BITS))
        limits = graph.constant(LOWEST), graph.constant(-LOWEST - 1)
        return graph.cast(graph.op("Clip", graph.op("Round", steps), *limits), INT32)

    def _total(self, significand: ir.Value, octaves: ir.Value, visible: ir.Value) -> ir.Value:
        """The denominator, int64 ``[batch, kv_heads, group, sequence, 1]``."""
        graph, functions = self._graph, self._functions
        shift = graph.op("Min", octaves, self._integer(LAST_SHIFT))
        half = functions.shifted_left(self._integer(1), shift)
        raised = functions.shifted_left(significand, SUM_SHIFT + 1)
        terms = functions.shifted_right(
            graph.op("Add", raised, half), graph.op("Add", shift, self._integer(1))
        )
        terms = graph.op("Where", visible, terms, self._integer(0))
        axes = graph.constant([-1], np.int64)
        return graph.op("ReduceSum", graph.cast(terms, INT64), axes, keepdims=1)

    def _weights(
        self, significand: ir.Value, octaves: ir.Value, rows: _Rows, visible: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """Weights with the values' scales in them, and the largest exponent of a scale.

        int32 ``[batch, kv_heads, group, sequence, total]`` and ``[..., 1]``.
        """
        graph, functions = self._graph, self._functions
        scale = graph.transpose(rows.scale, 0, 1, 2, 4, 3)
        biased = functions.exponent(scale)
        exponent = graph.op("Sub", biased, self._integer(BIAS))
        # A bfloat16 has the upper 7 of the 23 fraction bits.
        mantissa = graph.op(
            "Add", functions.shifted_right(functions.mantissa(scale), 16), self._integer(0x80)
        )
        zero = graph.op("Equal", biased, self._integer(0))
        mantissa = graph.op("Where", zero, self._integer(0), mantissa)
        seen = graph.op("Where", visible, exponent, self._integer(-BIAS))
        largest = graph.op("ReduceMax", seen, graph.constant([-1], np.int64), keepdims=1)
        shift = graph.op("Add", octaves, graph.op("Sub", largest, exponent))
        shift = graph.op("Add", shift, self._integer(WEIGHT_SHIFT))
        shift = graph.op("Clip", shift, self._integer(WEIGHT_SHIFT), self._integer(LAST_SHIFT))
        half = functions.shifted_left(self._integer(1), graph.op("Sub", shift, self._integer(1)))
        products = graph.op("Mul", significand, mantissa)
        weights = functions.shifted_right(graph.op("Add", products, half), shift)
        return graph.op("Where", visible, weights, self._integer(0)), largest

    def _weighted_sum(self, weights: ir.Value, rows: _Rows) -> ir.Value:
        """Exact in float64, rounded to float32 once."""
        graph = self._graph
        products = graph.op("MatMul", graph.cast(weights, DOUBLE), graph.cast(rows.values, DOUBLE))
        return graph.cast(products, FLOAT)
