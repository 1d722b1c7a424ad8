"""The option of the commands that names the file to write."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.files import check_output
from tercel.image import Image
from tercel.speculation.drafter_file import drafter_path

__all__ = ["OutputOption", "destination"]

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The file to write; by default MODEL.KIND.drafter beside the image.",
        show_default=False,
    ),
]


def destination(image: Image, kind: str, output: Path | None, inputs: list[Path]) -> Path:
    """The file to write, checked before the work begins."""
    path = drafter_path(image.path, kind) if output is None else output
    check_output(path, inputs=[image.path, *inputs])
    return path
