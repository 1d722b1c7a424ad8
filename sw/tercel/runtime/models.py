"""Lookup of images by path or by the name of a model shipped with the package."""

from importlib.resources import files
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["DEFAULT_MODEL", "SUFFIX", "find_model", "shipped_models"]

DEFAULT_MODEL = "small"
SUFFIX = ".tercel"


def _folder() -> Path:
    return Path(str(files("tercel"))) / "models"


def shipped_models() -> tuple[str, ...]:
    """Names of the shipped images."""
    return tuple(sorted(path.stem for path in _folder().glob(f"*{SUFFIX}")))


def find_model(name: str) -> Path:
    """The image file for a path or for the name of a shipped image; an existing file wins.

    Raises
    ------
    TercelError
        If ``name`` is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise TercelError(
            f"{name} is a folder; a model is an image file *{SUFFIX}, which "
            f"`tercel quantize {name} -o {path.name}{SUFFIX}` makes of a checkpoint"
        )
    if name in shipped_models():
        return _folder() / f"{name}{SUFFIX}"
    shipped = ", ".join(shipped_models()) or "none"
    raise TercelError(
        f"there is no model {name!r}: it is neither an image file nor a shipped model ({shipped})"
    )
