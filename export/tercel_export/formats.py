"""The formats of ``tercel export``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tercel.errors import TercelError
from tercel.image import Image
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.writer import write_onnx

__all__ = ["FORMATS", "Format", "find_format"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: its description and its writer."""

    what: str
    write: Callable[[Image, Path], Iterator[str]]
    """Writes an image and yields lines for the user."""


FORMATS = {
    IntegerForm.NAME: Format(
        what="ONNX, int8 activations times int2 weights as the device computes them",
        write=lambda image, output: write_onnx(image, output, IntegerForm),
    ),
}


def find_format(name: str) -> Format:
    """The format of a name.

    Raises
    ------
    TercelError
        If there is none.
    """
    if name not in FORMATS:
        raise TercelError(f"format must be one of {', '.join(FORMATS)}, not {name!r}")
    return FORMATS[name]
