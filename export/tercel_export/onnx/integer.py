"""The form ``onnx``: int8 activations times int2 weights in int32, as the device computes."""

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel_export.onnx.arithmetic import Activations
from tercel_export.onnx.device_arithmetic import DeviceArithmetic
from tercel_export.onnx.form import Form

__all__ = ["IntegerForm", "pack_int2", "unpack_int2"]


def pack_int2(trits: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Four trits a byte in two's complement, the first in the lowest bits; ONNX's INT2."""
    codes = np.zeros(-(-trits.size // 4) * 4, np.uint8)
    codes[: trits.size] = trits.reshape(-1).view(np.uint8) & 3
    shifted = codes.reshape(-1, 4) << np.arange(0, 8, 2, dtype=np.uint8)
    return np.bitwise_or.reduce(shifted, axis=1)


def unpack_int2(packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Inverse of :func:`pack_int2`; the code of -2 is returned as such."""
    codes = (packed.reshape(-1, 1) >> np.arange(0, 8, 2, dtype=np.uint8)) & 3
    values = (codes.astype(np.int8) ^ 2) - np.int8(2)
    return values.reshape(-1)[: int(np.prod(shape))].reshape(shape)


class IntegerForm(Form):
    """``MatMulInteger`` of int8 activations and of int2 weights that are cast to int8."""

    NAME = "onnx"
    ARITHMETIC = DeviceArithmetic
    OPSET = 26  # BitCast
    IR_VERSION = 13

    def linear(self, name: str, x: Activations) -> ir.Value:
        graph = self._graph
        rows, columns = self._shape(name)
        packed = graph.tensor(
            name, (columns, rows), lambda: pack_int2(self._transposed(name)), ir.DataType.INT2
        )
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
