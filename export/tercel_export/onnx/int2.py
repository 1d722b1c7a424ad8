"""ONNX's INT2: four values a byte in two's complement, the first in the lowest bits."""

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel_export.model_tensors import ModelTensors
from tercel_export.onnx.form import Reader
from tercel_export.onnx.graph import GraphTape

__all__ = ["int2_matrix", "pack_int2", "read_int2_matrix", "unpack_int2"]


def pack_int2(trits: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """The bytes of trits in the order of the array; the last byte is filled up with zeros."""
    codes = np.zeros(-(-trits.size // 4) * 4, np.uint8)
    codes[: trits.size] = np.ascontiguousarray(trits).reshape(-1).view(np.uint8) & 3
    shifted = codes.reshape(-1, 4) << np.arange(0, 8, 2, dtype=np.uint8)
    return np.bitwise_or.reduce(shifted, axis=1)


def unpack_int2(packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Inverse of :func:`pack_int2`; the code of -2 is returned as such."""
    codes = (packed.reshape(-1, 1) >> np.arange(0, 8, 2, dtype=np.uint8)) & 3
    values = (codes.astype(np.int8) ^ 2) - np.int8(2)
    return values.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def int2_matrix(
    graph: GraphTape, model: ModelTensors, name: str, shape: tuple[int, int]
) -> ir.Value:
    """Record a ternary matrix of ``shape`` with its columns first, as ``MatMul`` takes it."""
    rows, columns = shape
    return graph.tensor(
        name, (columns, rows), lambda: pack_int2(model.ternary(name).T), ir.DataType.INT2
    )


def read_int2_matrix(read: Reader, name: str, shape: tuple[int, int]) -> npt.NDArray[np.int8]:
    """Weights ``[rows, columns]`` of a matrix recorded by :func:`int2_matrix`."""
    return np.ascontiguousarray(unpack_int2(read(name), shape[::-1]).T)
