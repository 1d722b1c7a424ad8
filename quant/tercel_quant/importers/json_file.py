"""Reading of a checkpoint's JSON files."""

import json
from pathlib import Path
from typing import Any

from tercel.errors import TercelError
from tercel.image.foreign import refuse_pointer

__all__ = ["read_bytes", "read_object"]

MOST_BYTES = 1 << 28
"""Largest file; published ones, of tokenizers, have at most 35 MB."""


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    TercelError
        If it cannot be read, is a Git LFS pointer or is larger than any published one.
    """
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise TercelError(f"{path} has {size} bytes, but at most {MOST_BYTES} are read")
        refuse_pointer(path)
        return path.read_bytes()
    except OSError as error:
        raise TercelError(f"{path} cannot be read: {error.strerror or error}") from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises
    ------
    TercelError
        If the file cannot be read or is not a JSON object.
    """
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise TercelError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise TercelError(f"{path} must hold a JSON object, not {type(found).__name__}")
    return found
