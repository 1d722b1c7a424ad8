"""Writing several files so that none is ever seen half written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["write_files"]


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of ASCII text: all beside their places first, then each is moved there.

    A file that has these contents already is left alone.

    Raises
    ------
    TercelError
        If the folder cannot be made or written; then no file has changed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
            parts = {}
            for name, text in contents.items():
                path, content = folder / name, text.encode("ascii")
                if path.is_dir():
                    raise TercelError(f"{path} cannot be written: it is a folder")
                if not path.is_file() or path.read_bytes() != content:
                    part = parts[path] = Path(scratch) / name
                    part.write_bytes(content)
            for path, part in parts.items():
                os.replace(part, path)
    except OSError as error:
        raise TercelError(f"{folder} cannot be written: {error}") from None
