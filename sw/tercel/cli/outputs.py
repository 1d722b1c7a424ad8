"""Files that commands write: refused before the work where they cannot be, told where they are."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from tercel.files import whole_file

__all__ = ["open_output", "tell_replaced"]


@contextmanager
def open_output(path: Path, *, inputs: Iterable[Path | None] = ()) -> Iterator[BinaryIO]:
    """Yield a stream as :func:`tercel.files.whole_file` does, and tell what it will replace.

    Enter before the work, so that nobody waits for what cannot be written.

    Parameters
    ----------
    inputs
        Paths of the command's other arguments; ``None`` is one that was not given.
    """
    with whole_file(path, inputs=[given for given in inputs if given is not None]) as file:
        tell_replaced([path])
        yield file


def tell_replaced(paths: Iterable[Path]) -> None:
    """Say on standard error which of these files exist, while they can still be saved."""
    for path in paths:
        if path.is_file():
            typer.echo(f"{path} exists: it is replaced when the new one is whole", err=True)
