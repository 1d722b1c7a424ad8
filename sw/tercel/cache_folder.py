"""Where what can be made again is kept."""

import os
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["cache_folder"]


def cache_folder(name: str) -> Path:
    """The folder of a kind of cached files, by the XDG base directory specification.

    It lies in ``$XDG_CACHE_HOME/tercel``, or in ``~/.cache/tercel`` where that is unset or, as the
    specification has it, not absolute. It need not exist.

    Raises
    ------
    TercelError
        If there is no home directory either.
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
