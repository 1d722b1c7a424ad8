"""Files that are given in place of an image, told by how they start."""

from pathlib import Path

from tercel.errors import TercelError

__all__ = ["refuse_foreign", "refuse_pointer"]

POINTER = b"version https://git-lfs.github.com/spec/"

GGUF = b"GGUF"


def refuse_pointer(path: Path) -> None:
    """Raise a :class:`TercelError` for what a checkout without Git LFS has in place of a file.

    Raises
    ------
    TercelError
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise TercelError(
                f"{path} is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
            )


def refuse_foreign(path: Path) -> None:
    """Raise for a Git LFS pointer and for a GGUF file, which `tercel quantize` makes an image of.

    Raises
    ------
    TercelError
    OSError
        If the file cannot be read.
    """
    refuse_pointer(path)
    with path.open("rb") as file:
        if file.read(len(GGUF)) == GGUF:
            raise TercelError(
                f"{path} is a GGUF file, not a tercel image; make one of it with "
                f"`tercel quantize {path} -o {path.stem}.tercel`"
            )
