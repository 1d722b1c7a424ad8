"""The device's functions in integer operators: reciprocal, reciprocal root, 2^x and their tables.

The same steps as in :mod:`tercel.numerics.functions`, on the bits of float32 values.
"""

import numpy as np
import onnx_ir as ir

from tercel.numerics.functions import (
    LOG2_E,
    SegmentTable,
    exp2_table,
    reciprocal_table,
    rsqrt_table,
)
from tercel_export.onnx.graph import GraphTape

__all__ = ["DeviceFunctions"]

INT32, UINT32, FLOAT = ir.DataType.INT32, ir.DataType.UINT32, ir.DataType.FLOAT
MANTISSA_BITS = 23
HIDDEN = 1 << MANTISSA_BITS
BIAS = 127
INFINITE = 255
LARGEST_FIXED = 2.0**31 - 128
"""Largest float32 that an int32 holds."""


class DeviceFunctions:
    """The functions of one graph; operands are not NaN and not subnormal."""

    def __init__(self, graph: GraphTape):
        self._graph = graph

    def integer(self, value: int) -> ir.Value:
        return self._graph.constant(value, np.int32)

    def exponent(self, x: ir.Value) -> ir.Value:
        """The biased exponent of ``x`` >= 0, int32."""
        return self.shifted_right(self._bits(x), MANTISSA_BITS)

    def mantissa(self, x: ir.Value) -> ir.Value:
        """The 23 fraction bits, int32."""
        return self._graph.op("BitwiseAnd", self._bits(x), self.integer(HIDDEN - 1))

    def shifted_right(self, x: ir.Value, count: int | ir.Value) -> ir.Value:
        """``x >> count`` of int32 ``x`` >= 0; a ``count`` that is a value is int32 below 32."""
        return self._shifted(x, count, "RIGHT")

    def shifted_left(self, x: ir.Value, count: int | ir.Value) -> ir.Value:
        return self._shifted(x, count, "LEFT")

    def _shifted(self, x: ir.Value, count: int | ir.Value, direction: str) -> ir.Value:
        graph = self._graph
        if isinstance(count, int):
            counts = graph.constant(count, np.uint32)
        else:
            counts = graph.cast(count, UINT32)
        shifted = graph.op("BitShift", graph.cast(x, UINT32), counts, direction=direction)
        return graph.cast(shifted, INT32)

    def scaled(self, x: ir.Value, exponent: ir.Value) -> ir.Value:
        """``x * 2^exponent`` of normal ``x`` > 0; results below the normal numbers are 0."""
        graph = self._graph
        sum_ = graph.op("Add", self.exponent(x), exponent)
        return self._composed(sum_, graph.op("Add", self.mantissa(x), self.integer(HIDDEN)))

    def reciprocal(self, x: ir.Value) -> ir.Value:
        """1/x of ``x`` >= 0; 0 for zero and infinity."""
        graph = self._graph
        exponent, mantissa = self.exponent(x), self.mantissa(x)
        y = self._interpolated(
            reciprocal_table(),
            self.shifted_right(mantissa, 15),
            graph.op("BitwiseAnd", mantissa, self.integer(0x7FFF)),
        )
        composed = self._composed(graph.op("Sub", self.integer(253), exponent), y)
        zero = graph.op("Equal", exponent, self.integer(0))
        return graph.op("Where", zero, graph.constant(0), composed)

    def rsqrt(self, x: ir.Value) -> ir.Value:
        """1/sqrt(x) of ``x`` > 0."""
        graph = self._graph
        exponent, mantissa = self.exponent(x), self.mantissa(x)
        odd = graph.op("BitwiseAnd", graph.op("Add", exponent, self.integer(1)), self.integer(1))
        index = graph.op("Add", self.shifted_left(odd, 7), self.shifted_right(mantissa, 16))
        low = graph.op("BitwiseAnd", mantissa, self.integer(0xFFFF))
        # floor((exponent - 127) / 2), with a sum that is not negative
        half = self.shifted_right(graph.op("Add", exponent, self.integer(BIAS + 2)), 1)
        return self._composed(
            graph.op("Sub", self.integer(2 * BIAS), half),
            self._interpolated(rsqrt_table(), index, low),
        )

    def exp2(self, x: ir.Value) -> ir.Value:
        """2^x; 0 below 2^-126, infinity from 2^128 on."""
        graph = self._graph
        steps = graph.op("Round", graph.op("Mul", x, graph.constant(HIDDEN)))
        limits = graph.constant(-(2.0**31)), graph.constant(LARGEST_FIXED)
        t = graph.cast(graph.op("Clip", steps, *limits), INT32)
        fraction = graph.op("BitwiseAnd", t, self.integer(HIDDEN - 1))
        whole = graph.op("Div", graph.op("Sub", t, fraction), self.integer(HIDDEN))
        y = self._interpolated(
            exp2_table(),
            self.shifted_right(fraction, 15),
            graph.op("BitwiseAnd", fraction, self.integer(0x7FFF)),
        )
        return self._composed(graph.op("Add", whole, self.integer(BIAS)), y)

    def silu(self, x: ir.Value) -> ir.Value:
        graph = self._graph
        power = self.exp2(graph.op("Mul", graph.op("Neg", x), graph.constant(LOG2_E)))
        sigmoid = self.reciprocal(graph.op("Add", graph.constant(1), power))
        return graph.op("Mul", x, sigmoid)

    def bfloat16_up(self, x: ir.Value) -> ir.Value:
        """Round ``x`` >= 0 up to bfloat16, as float32."""
        graph = self._graph
        raised = graph.op("Add", self._bits(x), self.integer(0xFFFF))
        upper = graph.op("BitwiseAnd", raised, self.integer(-0x10000))
        return graph.op("BitCast", upper, to=FLOAT)

    def is_bfloat16(self, x: ir.Value) -> ir.Value:
        graph = self._graph
        low = graph.op("BitwiseAnd", self._bits(x), self.integer(0xFFFF))
        return graph.op("Equal", low, self.integer(0))

    def _bits(self, x: ir.Value) -> ir.Value:
        return self._graph.op("BitCast", x, to=INT32)

    def _interpolated(self, table: SegmentTable, index: ir.Value, low: ir.Value) -> ir.Value:
        """The significand in [2^23, 2^24), int32."""
        graph = self._graph
        slope = graph.op("Gather", graph.constant(table.slopes, np.int32), index)
        value = graph.op("Gather", graph.constant(table.values, np.int32), index)
        step = self.shifted_right(graph.op("Mul", slope, low), table.shift)
        return graph.op("Sub" if table.falling else "Add", value, step)

    def _composed(self, exponent: ir.Value, significand: ir.Value) -> ir.Value:
        """A float32 of a biased exponent and a significand in [2^23, 2^24)."""
        graph = self._graph
        within = graph.op("Clip", exponent, self.integer(0), self.integer(INFINITE))
        # The significand's hidden bit is one in the exponent.
        bits = graph.op("Mul", graph.op("Sub", within, self.integer(1)), self.integer(HIDDEN))
        value = graph.op("BitCast", graph.op("Add", bits, significand), to=FLOAT)
        zero = graph.op("LessOrEqual", exponent, self.integer(0))
        infinite = graph.op("GreaterOrEqual", exponent, self.integer(INFINITE))
        value = graph.op("Where", infinite, graph.constant(np.inf), value)
        return graph.op("Where", zero, graph.constant(0), value)
