"""Files whose name only ever shows whole content, also after a crash."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["whole_file", "write_whole"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary neighbour of ``path`` to write to; at the end it reaches the disk and is renamed.

    On any exception ``path`` is as before and the neighbour is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as :func:`whole_file` does."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
