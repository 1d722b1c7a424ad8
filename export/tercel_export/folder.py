"""Output folders: whole or as before, and never in place of what an export did not write."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tercel.errors import TercelError
from tercel.files import check_folder, is_standard_output, whole_folder, write_errors

__all__ = ["export_folder"]


@contextlib.contextmanager
def export_folder(path: Path, written: Callable[[str], bool]) -> Iterator[Path]:
    """Yield an empty folder that replaces ``path`` at the end of the block.

    Parameters
    ----------
    path
        Absent, or a folder of an earlier export.
    written
        True for the names of files that this export may write.

    Raises
    ------
    TercelError
        If ``path`` is no folder, the current one or holds other files, the folder around it is
        missing, or a file cannot be written.
    """
    if is_standard_output(path):
        raise TercelError("a folder cannot go to the standard output; name one")
    with write_errors(path):
        place = Path(os.path.realpath(path))
        here = Path.cwd()
        if place in (here, *here.parents):
            raise TercelError(
                f"{path} is the current folder, or one around it, and would be replaced as a "
                "whole; name a new folder"
            )
        if not place.parent.is_dir():  # as for a file; the writer would make it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        there = os.listdir(path) if os.path.lexists(path) else []
    if foreign := sorted(name for name in there if not written(name)):
        raise TercelError(
            f"{path} holds {foreign[0]!r}, which this export does not write, and would be replaced "
            "as a whole; name a new folder"
        )
    check_folder(path.parent)
    with write_errors(path), whole_folder(path) as folder:
        try:
            yield folder
        except OSError as error:
            if error.errno is not None:
                raise
            # NumPy tells a short write so, which is a full disk.
            raise TercelError(
                f"cannot write {path}: a file was cut short ({error}); free some space, or write "
                "to another disk"
            ) from error
