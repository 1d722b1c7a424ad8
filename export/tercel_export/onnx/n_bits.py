"""The form ``onnx-nbits``: ``MatMulNBits`` of onnxruntime, 2-bit matrices and 8-bit rows."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from tercel_export.onnx.arithmetic import Activations
from tercel_export.onnx.form import ReadableForm, Reader
from tercel_export.onnx.plain_arithmetic import PlainArithmetic

__all__ = ["NBitsForm", "block_size", "pack_blocks", "unpack_blocks"]

DOMAIN = "com.microsoft"

BLOCKS = (256, 128, 64, 32)
"""Columns of a block that the operator takes; larger blocks repeat the scale less often."""


def block_size(columns: int) -> int:
    """The largest block of which rows of ``columns`` are whole multiples, else the smallest."""
    return next((size for size in BLOCKS if columns % size == 0), BLOCKS[-1])


def block_count(columns: int) -> int:
    return -(-columns // block_size(columns))


def pack_blocks(values: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    """Rows in the operator's layout: ``[rows, blocks, bytes of a block]``.

    A value is stored with the zero point ``2^(bits - 1)`` added, the first in the lowest bits;
    rows are filled up with zeros to whole blocks.
    """
    rows, columns = values.shape
    size, blocks = block_size(columns), block_count(columns)
    codes = np.full((rows, blocks * size), 1 << (bits - 1), np.uint8)
    codes[:, :columns] += values.view(np.uint8)
    per_byte = 8 // bits
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed = np.bitwise_or.reduce(codes.reshape(rows, -1, per_byte) << shifts, axis=2)
    return packed.reshape(rows, blocks, size // per_byte)


def unpack_blocks(packed: npt.NDArray[np.uint8], columns: int, bits: int) -> npt.NDArray[np.int8]:
    """Inverse of :func:`pack_blocks`."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (packed.reshape(len(packed), -1, 1) >> shifts) & np.uint8((1 << bits) - 1)
    values = codes.reshape(len(packed), -1)[:, :columns] - np.uint8(1 << (bits - 1))
    return values.view(np.int8)


class NBitsForm(ReadableForm):
    """Float products of the int8 values with the dequantised weights."""

    NAME = "onnx-nbits"
    ARITHMETIC = PlainArithmetic
    OPSET = 21
    IR_VERSION = 10
    DOMAIN = DOMAIN

    @staticmethod
    def decode_matrix(read: Reader, name: str, shape: tuple[int, int]) -> npt.NDArray[np.int8]:
        return unpack_blocks(read(name), shape[1], 2)

    @staticmethod
    def decode_rows(
        read: Reader, name: str, shape: tuple[int, int]
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        return unpack_blocks(read(name), shape[1], 8), read(f"{name}.scales")[:, 0]

    def linear(self, name: str, x: Activations) -> ir.Value:
        graph, model, shape = self._graph, self._model, self._shape(name)
        packed = self._blocks(name, shape, 2, lambda: model.ternary(name))
        ones = graph.constant(np.ones((shape[0], block_count(shape[1]))))
        product = self._product(x.values, packed, ones, shape, bits=2)
        scale = graph.op("Mul", x.scale, self._weight_scale(name))
        return graph.op("Mul", product, scale, name=f"{name}.output")

    def head(self, x: Activations) -> ir.Value:
        config = self._model.config
        packed, scales = self._rows("head")
        shape = config.vocab_size, config.hidden_size
        product = self._product(x.values, packed, scales, shape, bits=8)
        return self._graph.op("Mul", product, x.scale, name="logits")

    def embed(self, tokens: ir.Value) -> ir.Value:
        graph, width = self._graph, self._model.config.hidden_size
        packed, scales = self._rows("embedding")
        codes = graph.cast(graph.op("Gather", packed, tokens), ir.DataType.FLOAT)
        values = graph.op("Sub", codes, graph.constant(128))
        chosen = graph.unsqueeze(graph.op("Gather", scales, tokens), -1)
        rows = graph.reshape(graph.op("Mul", values, chosen), 0, 0, -1)
        if width % block_size(width) == 0:
            return rows
        start, end, axis = (graph.constant([n], np.int64) for n in (0, width, -1))
        return graph.op("Slice", rows, start, end, axis)

    def _product(
        self,
        x: ir.Value,
        packed: ir.Value,
        scales: ir.Value,
        shape: tuple[int, int],
        *,
        bits: int,
    ) -> ir.Value:
        rows, columns = shape
        return self._graph.op(
            "MatMulNBits",
            x,
            packed,
            scales,
            domain=DOMAIN,
            K=columns,
            N=rows,
            bits=bits,
            block_size=block_size(columns),
            accuracy_level=0,
        )

    def _record_rows(self, name: str) -> tuple[ir.Value, ir.Value]:
        """Blocks of 8-bit rows, and scales ``[vocab_size, blocks]``, equal along a row."""
        config, model = self._model.config, self._model
        shape = config.vocab_size, config.hidden_size
        packed = self._blocks(name, shape, 8, lambda: model.rows(name)[0])
        blocks = block_count(shape[1])
        scales = self._graph.tensor(
            f"{name}.scales",
            (shape[0], blocks),
            lambda: np.repeat(model.rows(name)[1][:, None], blocks, 1),
        )
        return packed, scales

    def _blocks(
        self,
        name: str,
        shape: tuple[int, int],
        bits: int,
        read: Callable[[], npt.NDArray[np.int8]],
    ) -> ir.Value:
        rows, columns = shape
        size = block_size(columns)
        packed = rows, block_count(columns), size * bits // 8
        return self._graph.tensor(
            name, packed, lambda: pack_blocks(read(), bits), ir.DataType.UINT8
        )
