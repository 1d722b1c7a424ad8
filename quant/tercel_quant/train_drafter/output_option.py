"""The files of the commands: the model, the texts, and the file to write."""

from pathlib import Path
from typing import Annotated

import typer

from tercel.errors import TercelError
from tercel.files import check_output
from tercel.image import Image
from tercel.runtime import find_model
from tercel.speculation.drafter_file import drafter_path

__all__ = ["OutputOption", "destination", "open_training", "report"]

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


def open_training(
    model: str, kind: str, output: Path | None, texts: list[Path]
) -> tuple[Image, Path]:
    """The model, and the file to write, checked with the texts before the work begins."""
    for text in texts:
        if not text.is_file():
            raise TercelError(f"there is no text {text}; name a UTF-8 file")
    image = Image.open(find_model(model))
    return image, destination(image, kind, output, texts)


def report(line: str) -> None:
    """Print a line of progress to standard error."""
    typer.echo(line, err=True)
