"""The formats of ``tercel export``."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tercel.errors import TercelError
from tercel_export.gguf.writer import write_gguf
from tercel_export.huggingface.writer import write_huggingface
from tercel_export.onnx.dequantized import DequantizedForm
from tercel_export.onnx.integer import IntegerForm
from tercel_export.onnx.n_bits import NBitsForm
from tercel_export.onnx.writer import write_onnx, write_qonnx

__all__ = ["FORMATS", "SINGLE_FILES", "Writer", "find_format"]

Writer = Callable[..., Iterator[str]]
"""Writes an image to a path, with options of its own, and yields lines for the user."""

FORMATS: dict[str, Writer] = {
    **{form.NAME: partial(write_onnx, form) for form in (IntegerForm, NBitsForm, DequantizedForm)},
    "qonnx": write_qonnx,
    "gguf": write_gguf,
    "huggingface": write_huggingface,
}

SINGLE_FILES = frozenset({"gguf"})
"""Formats that are a file; the others are folders."""

OPTIONS = {"tensor_type": ("--type", "gguf"), "sequence": ("--sequence", "qonnx")}
"""Option of one writer to its name on the command line and its format."""


def find_format(name: str, **options: Any) -> Writer:
    """The writer of a format.

    Parameters
    ----------
    name
    options
        Those of :data:`OPTIONS`; ``None`` is the writer's default.

    Raises
    ------
    TercelError
        If there is no such format, or an option belongs to another.
    """
    if name not in FORMATS:
        raise TercelError(f"format must be one of {', '.join(FORMATS)}, not {name!r}")
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        option, owner = OPTIONS[key]
        if owner != name:
            raise TercelError(f"{option} is for {owner} alone; leave it out for {name}")
    return partial(FORMATS[name], **given)
