"""The user's cache folder, for files that can be made again."""

import os
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["cache_folder"]


def cache_folder(name: str) -> Path:
    """The folder of a kind of cached files, by the XDG base directory specification.

    It is in ``$XDG_CACHE_HOME/tercel``, or in ``~/.cache/tercel`` if that variable is unset or not
    absolute. The folder may not exist yet.

    Raises
    ------
    TercelError
        If the variable is unset and there is no home directory.
    """
    place = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not place.is_absolute():
        try:
            place = Path.home() / ".cache"
        except RuntimeError:
            raise TercelError(
                "there is no home directory to keep a cache in: set HOME or XDG_CACHE_HOME"
            ) from None
    return place / "tercel" / name
