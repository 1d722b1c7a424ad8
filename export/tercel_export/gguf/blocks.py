"""Blocks of GGUF's tensor types, made of trits or of int8 rows without a loss of integers."""

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

__all__ = ["TERNARY_TYPES", "choose_row_type", "choose_ternary_type", "encode_rows", "encode_trits"]

TERNARY_TYPES = {
    kind.name: kind for kind in (GGMLQuantizationType.TQ1_0, GGMLQuantizationType.TQ2_0)
}
SMALLEST, LARGEST = 2.0**-14, 65504.0
"""Range of the normal float16 numbers, of which the scales of blocks are."""


def choose_ternary_type(
    columns: int, scale: np.float32, wanted: GGMLQuantizationType
) -> GGMLQuantizationType:
    """``wanted`` if rows are whole blocks of it, else Q8_0, else F32.

    F32 also if the scale is none of the normal float16 numbers.
    """
    if scale != 0 and not SMALLEST <= scale <= LARGEST:
        return GGMLQuantizationType.F32
    for kind in (wanted, GGMLQuantizationType.Q8_0):
        if columns % gguf.GGML_QUANT_SIZES[kind][0] == 0:
            return kind
    return GGMLQuantizationType.F32


def choose_row_type(columns: int, scales: npt.NDArray[np.float32]) -> GGMLQuantizationType:
    """Q8_0 if rows are whole blocks and all scales are normal float16 numbers or 0, else F32."""
    used = scales[scales != 0]
    normal = not used.size or (used.min() >= SMALLEST and used.max() <= LARGEST)
    block = gguf.GGML_QUANT_SIZES[GGMLQuantizationType.Q8_0][0]
    whole = columns % block == 0
    return GGMLQuantizationType.Q8_0 if normal and whole else GGMLQuantizationType.F32


def encode_trits(
    trits: npt.NDArray[np.int8], scale: np.float32, kind: GGMLQuantizationType
) -> npt.NDArray:
    """A ternary matrix in a type of :func:`choose_ternary_type`; the scale is rounded to float16.

    Returns
    -------
    uint8 ``[rows, bytes of a row]``, or float32 ``[rows, columns]``
    """
    if kind == GGMLQuantizationType.Q8_0:
        return encode_rows(trits, np.full(len(trits), scale, np.float32), kind)
    if kind == GGMLQuantizationType.F32:
        return trits * np.float32(scale)
    # The library takes the largest magnitude of a block as its scale.
    return gguf.quantize(trits * np.float32(np.float16(scale)), kind)


def encode_rows(
    values: npt.NDArray[np.int8], scales: npt.NDArray[np.float32], kind: GGMLQuantizationType
) -> npt.NDArray:
    """Int8 rows with a scale each, as :func:`encode_trits`.

    The library's own Q8_0 quantises floats, whose blocks have other scales than their rows.
    """
    if kind == GGMLQuantizationType.F32:
        return values * scales[:, None]
    block = gguf.GGML_QUANT_SIZES[kind][0]
    blocks = values.reshape(len(values), -1, block)
    encoded = np.empty(blocks.shape[:2], [("scale", "<f2"), ("values", "i1", (block,))])
    encoded["scale"] = scales.astype(np.float16)[:, None]
    encoded["values"] = blocks
    return encoded.view(np.uint8).reshape(len(values), -1)
