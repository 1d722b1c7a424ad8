"""Tensors of a GGUF file, in all types that the ``gguf`` library dequantises."""

import math

import gguf
import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel_quant.importers.gguf_header import TensorEntry

__all__ = ["check_type", "read_tensor", "type_name"]

FOREIGN_TYPES = {
    36: "I2_S",
    37: "I8_S",
    38: "TL1",
    39: "TL2",
    42: "Q2_0",
    142: "PQ2_0",
    143: "PTQ1_0",
}
"""Names of types that the library lacks: 36 to 39 of bitnet.cpp (39 is MXFP4 in newer versions of
the library), 42 of newer llama.cpp, the last two of forks."""

REMEDY = "convert the file to TQ2_0, Q8_0 or a float type with the program that wrote it"


def type_name(kind: int) -> str:
    """The name of a tensor type."""
    try:
        return gguf.GGMLQuantizationType(kind).name
    except ValueError:
        return FOREIGN_TYPES.get(kind, f"type {kind}")


def check_type(name: str, entry: TensorEntry, file_bytes: int) -> None:
    """Check that a tensor can be read.

    Raises
    ------
    TercelError
        If its type is unknown or cannot be dequantised, its rows are not whole blocks, or it
        extends beyond the end of the file.
    """
    try:
        kind = gguf.GGMLQuantizationType(entry.kind)
    except ValueError:
        known = FOREIGN_TYPES.get(entry.kind)
        called = f" ({known})" if known else ""
        raise TercelError(
            f"{name} has the type {entry.kind}{called}, which is not read; {REMEDY}"
        ) from None
    block, size = gguf.GGML_QUANT_SIZES[kind]
    try:
        gguf.dequantize(np.zeros((1, size), np.uint8), kind)
    except NotImplementedError:
        raise TercelError(
            f"{name} has the type {entry.kind} ({kind.name}), which cannot be dequantised; {REMEDY}"
        ) from None
    if entry.shape[-1] % block:
        raise TercelError(
            f"{name} of the type {kind.name} must have rows of a multiple of {block} weights, "
            f"not {entry.shape[-1]}"
        )
    if entry.offset + math.prod(entry.shape) // block * size > file_bytes:
        raise TercelError(f"{name} lies beyond the end of the file, which is cut short")


def read_tensor(data: npt.NDArray[np.uint8], entry: TensorEntry) -> npt.NDArray[np.float32]:
    """The values of a tensor that passed :func:`check_type`, in its shape.

    Parameters
    ----------
    data
        The whole file, mapped.
    entry
    """
    kind = gguf.GGMLQuantizationType(entry.kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    row = entry.shape[-1] // block * size
    count = math.prod(entry.shape[:-1])
    packed = np.array(data[entry.offset : entry.offset + count * row]).reshape(count, row)
    return np.array(gguf.dequantize(packed, kind), np.float32).reshape(entry.shape)
