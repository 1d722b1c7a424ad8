"""Tensors of PyTorch pickles (``pytorch_model.bin``), without running what is in them."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tercel.errors import TercelError
from tercel.image.foreign import refuse_pointer

__all__ = ["read_tensors"]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dictionary, mapped into memory and not read.

    Parameters
    ----------
    path : Path
        A file of ``torch.save`` since PyTorch 1.6, which is a zip archive without compression.

    Raises
    ------
    TercelError
        If the file is older, damaged, compressed, or holds anything but tensors by name, such as
        code.
    """
    try:
        refuse_pointer(path)
        _check_archive(path)
        found: Any = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("GLOBAL ", 1)[-1].split(" was not", 1)[0].split("\n", 1)[0]
        raise TercelError(
            f"{path} holds more than tensors, which may be code, so it is not opened ({reason}); "
            "if you trust it, load it with torch yourself and save it as safetensors"
        ) from None
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        text = str(error).split("\n", 1)[0]
        raise TercelError(f"{path} is no readable PyTorch checkpoint: {text}") from None
    if isinstance(found, dict) and set(found) == {"state_dict"}:
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise TercelError(f"{path} must hold tensors by name, not a {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TercelError(
                f"{path} must hold tensors by name, but {name!r} is a {type(value).__name__}"
            )
    return found


def _check_archive(path: Path) -> None:
    """Refuse what is no zip archive, and one whose entries are larger than the file: a zip bomb."""
    if not zipfile.is_zipfile(path):
        raise TercelError(
            f"{path} is no zip archive: it is cut short, or was saved before PyTorch 1.6; "
            "download it again, or load it with torch and save it as safetensors"
        )
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    size = path.stat().st_size
    if (
        any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        or sum(entry.file_size for entry in entries) > size
    ):
        raise TercelError(
            f"{path} has entries that are compressed or larger than the file, which torch.save "
            "never writes, so it is not opened"
        )
