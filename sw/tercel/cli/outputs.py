"""Output files of commands: checked before the work starts, with a notice of replaced files."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from tercel.files import whole_file

__all__ = ["open_output", "tell_replaced"]


@contextmanager
def open_output(path: Path, *, inputs: Iterable[Path | None] = ()) -> Iterator[BinaryIO]:
    """Yield a stream as :func:`tercel.files.whole_file` does; report a file that it will replace.

    Enter before the work, so that an unwritable path fails at once.

    Parameters
    ----------
    inputs
        Input files of the command; ``None`` stands for an absent argument.
    """
    with whole_file(path, inputs=[given for given in inputs if given is not None]) as file:
        tell_replaced([path])
        yield file


def tell_replaced(paths: Iterable[Path]) -> None:
    """Name the existing files and folders on standard error, before they are replaced."""
    for path in paths:
        if path.is_file() or path.is_dir():
            typer.echo(f"{path} exists: it is replaced when the new one is whole", err=True)
