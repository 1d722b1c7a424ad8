"""Writing several files so that none is ever seen half written."""

import os
from collections.abc import Mapping
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["write_files"]


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of ASCII text: all under temporary names first, then under their own.

    A file that has these contents already is left alone.

    Raises
    ------
    TercelError
        If the folder cannot be made or written; then nothing has changed.
    """
    parts: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            path, part = folder / name, folder / f".{name}.part"
            content = text.encode("ascii")
            if not path.is_file() or path.read_bytes() != content:
                parts[part] = path
                part.write_bytes(content)
        for part, path in parts.items():
            os.replace(part, path)
    except OSError as error:
        for part in parts:
            part.unlink(missing_ok=True)
        raise TercelError(f"{folder} cannot be written: {error}") from None
