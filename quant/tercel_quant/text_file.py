"""Reading of text files that a command is given."""

from pathlib import Path

from tercel.errors import TercelError

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises
    ------
    TercelError
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TercelError(f"the text {path} cannot be read: {error}") from None
