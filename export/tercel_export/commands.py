"""The command ``tercel export``."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.cli.options import ModelArgument
from tercel.cli.outputs import tell_replaced
from tercel.cli.units import format_bytes
from tercel.files import is_standard_output
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, find_model

__all__ = ["export"]


def export(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The folder to write; a file for gguf.",
            show_default=False,
        ),
    ],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="onnx, onnx-nbits, onnx-dq, qonnx, gguf, huggingface.",
            show_default=False,
        ),
    ],
    model: ModelArgument = DEFAULT_MODEL,
    tensor_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="Type of the matrices in a gguf: TQ1_0 (default) or TQ2_0.",
        ),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(help="Positions of a qonnx, whose shapes are fixed; 32.", metavar="N"),
    ] = None,
) -> None:
    """Write a model in a format that other tools read.

    The weights are those of the image: trits, their scales, and the int8 rows of embedding and
    head.
    """
    from tercel_export.formats import SINGLE_FILES, find_format

    write = find_format(format, tensor_type=tensor_type, sequence=sequence)
    image = Image.open(find_model(model))
    if output.is_dir() != (format in SINGLE_FILES):  # else it is refused
        tell_replaced([output])
    for line in write(image, output):
        typer.echo(line, err=True)
    to_errors = is_standard_output(output)  # which carries the file
    size = "" if to_errors else f", {format_bytes(_bytes(output))}"
    typer.echo(f"{output}: {image.config.name} as {format}{size}", err=to_errors)


def _bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
