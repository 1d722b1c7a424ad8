"""Files mistaken for images, recognised by their first bytes."""

from pathlib import Path

from tercel.errors import TercelError

__all__ = ["refuse_foreign", "refuse_pointer"]

POINTER = b"version https://git-lfs.github.com/spec/"

GGUF = b"GGUF"


def refuse_pointer(path: Path) -> None:
    """Refuse a Git LFS pointer, which a checkout without Git LFS has in place of a file.

    Raises
    ------
    TercelError
        If the file is a pointer.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise TercelError(
                f"{path} is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
            )


def refuse_foreign(path: Path) -> None:
    """Refuse a Git LFS pointer and a GGUF file, which `tercel quantize` converts.

    Raises
    ------
    TercelError
        If the file is one of these.
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
