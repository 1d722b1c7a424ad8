"""The formats of ``tercel export``."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.gguf.writer import write_gguf
from tercel_export.huggingface.writer import write_huggingface
from tercel_export.onnx.dequantized import DequantizedForm
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.n_bits import NBitsForm
from tercel_export.onnx.writer import write_onnx

__all__ = ["FORMATS", "Writer", "find_format"]


Writer = Callable[[Image, Path], Iterator[str]]
"""Writes an image and yields lines for the user."""

FORMATS: dict[str, Writer] = {
    **{form.NAME: partial(write_onnx, form) for form in (IntegerForm, NBitsForm, DequantizedForm)},
    "gguf": write_gguf,
    "huggingface": write_huggingface,
}


def find_format(name: str, *, tensor_type: str | None = None) -> Writer:
    """The writer of a format.

    Parameters
    ----------
    name
    tensor_type
        Type of the matrices, which only ``gguf`` has.

    Raises
    ------
    TercelError
        If there is no such format, or it has no types to choose from.
    """
    if name not in FORMATS:
        raise TercelError(f"format must be one of {', '.join(FORMATS)}, not {name!r}")
    if tensor_type is None:
        return FORMATS[name]
    if name != "gguf":
        raise TercelError(f"the type of matrices is for gguf alone; leave it out for {name}")
    return partial(write_gguf, tensor_type=tensor_type)
