"""The form ``onnx-dq``: ``DequantizeLinear`` of int2 weights before each ``MatMul``."""

import onnx_ir as ir

from tercel_export.onnx.arithmetic import Activations
from tercel_export.onnx.form import ReadableForm
from tercel_export.onnx.int2 import int2_matrix, read_int2_matrix
from tercel_export.onnx.plain_arithmetic import PlainArithmetic

__all__ = ["DequantizedForm"]


class DequantizedForm(ReadableForm):
    """Standard operators alone; tools recognise the pair as a quantised product."""

    NAME = "onnx-dq"
    ARITHMETIC = PlainArithmetic
    OPSET = 25
    IR_VERSION = 13
    ADVICE = (
        "onnxruntime on a CPU fuses DequantizeLinear and MatMul into a product with int8 "
        "activations of its own, which changes the logits; set the session option "
        "session.qdq_matmulnbits_accuracy_level to 1 (or export onnx-nbits)"
    )

    decode_matrix = staticmethod(read_int2_matrix)

    def linear(self, name: str, x: Activations) -> ir.Value:
        graph = self._graph
        packed = int2_matrix(graph, self._model, name, self._shape(name))
        weights = graph.op("DequantizeLinear", packed, self._weight_scale(name))
        product = graph.op("MatMul", x.values, weights)
        return graph.op("Mul", product, x.scale, name=f"{name}.output")

    def head(self, x: Activations) -> ir.Value:
        graph = self._graph
        weights = graph.op("DequantizeLinear", *self._rows("head"), axis=0)
        product = graph.op("MatMul", x.values, graph.transpose(weights, 1, 0))
        return graph.op("Mul", product, x.scale, name="logits")
