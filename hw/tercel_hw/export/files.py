"""Writing several files so that none is ever seen half written."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tercel.files import make_folder, whole_file

__all__ = ["write_files"]


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of ASCII text: all beside their places first, then each is moved there.

    A file that has these contents already is left alone.

    Raises
    ------
    TercelError
        If the folder cannot be made or written; then no file has changed.
    """
    make_folder(folder)
    with ExitStack() as stack:
        for name, text in contents.items():
            path, content = folder / name, text.encode("ascii")
            if not path.is_file() or path.read_bytes() != content:
                file = stack.enter_context(whole_file(path))
                file.write(content)
                file.flush()
