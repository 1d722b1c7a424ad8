"""The form ``onnx``: int8 activations times int2 weights in int32, as the device computes."""

import onnx_ir as ir

from tercel_export.onnx.arithmetic import Activations
from tercel_export.onnx.device_arithmetic import DeviceArithmetic
from tercel_export.onnx.form import ReadableForm
from tercel_export.onnx.int2 import int2_matrix, read_int2_matrix

__all__ = ["IntegerForm"]


class IntegerForm(ReadableForm):
    """``MatMulInteger`` of int8 activations and of int2 weights that are cast to int8."""

    NAME = "onnx"
    ARITHMETIC = DeviceArithmetic
    OPSET = 26  # BitCast
    IR_VERSION = 13

    decode_matrix = staticmethod(read_int2_matrix)

    def linear(self, name: str, x: Activations) -> ir.Value:
        graph = self._graph
        packed = int2_matrix(graph, self._model, name, self._shape(name))
        sums = self._sums(name, x, graph.cast(packed, ir.DataType.INT8))
        scale = graph.op("Mul", x.scale, self._weight_scale(name))
        # No scale is negative. Without the node between, onnxruntime fuses both products into one
        # operator that multiplies in another order.
        scale = graph.op("Max", scale, graph.constant(0))
        return self._dequantised(sums, scale, name=f"{name}.output")

    def head(self, x: Activations) -> ir.Value:
        rows, scales = self._rows("head")
        sums = self._sums("head", x, self._graph.transpose(rows, 1, 0))
        return self._dequantised(sums, scales, x.scale, name="logits")

    def _sums(self, name: str, x: Activations, weights: ir.Value) -> ir.Value:
        """Accumulators as float32; the int32 value is named ``{name}.accumulator``."""
        graph = self._graph
        values = graph.cast(x.values, ir.DataType.INT8)
        sums = graph.op("MatMulInteger", values, weights, name=f"{name}.accumulator")
        return graph.cast(sums, ir.DataType.FLOAT)
