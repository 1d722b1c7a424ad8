"""The safetensors container of an image, written as a stream and sealed with a checksum.

The checksum is the SHA-256 of the whole file with the checksum's own 64 digits read as ``0``, so
it covers every bit of the file. It is the first entry of the header, at a fixed offset.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from tercel.errors import TercelError
from tercel.image.foreign import refuse_foreign

__all__ = ["Entry", "Header", "Stream", "read_header", "verify_checksum", "write_container"]

OPENING = b'{"__metadata__":{"checksum":"'
CHECKSUM_OFFSET = 8 + len(OPENING)
UNSEALED = b"0" * 64
ALIGNMENT = 64
"""Alignment of the tensors' first byte."""
BLOCK_BYTES = 1 << 20
ITEM_BYTES = {"U8": 1, "I8": 1, "BF16": 2, "I32": 4}
"""Bytes of an element by its type in safetensors, for the types that are written."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A tensor to be written block by block."""

    shape: tuple[int, ...]
    blocks: Iterable[npt.NDArray]
    """Contiguous arrays, whose bytes in sequence are the tensor's."""
    dtype: str = "U8"
    """One of :data:`ITEM_BYTES`."""

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tensor in a file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    """First byte, from the start of the file."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header of a safetensors file."""

    metadata: dict[str, str]
    tensors: dict[str, Entry]


def _header_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Stream]) -> bytes:
    entries: dict[str, object] = {
        "__metadata__": {"checksum": UNSEALED.decode(), **metadata},
    }
    offset = 0
    for name, tensor in tensors.items():
        entries[name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [offset, offset + tensor.size],
        }
        offset += tensor.size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def write_container(
    file: BinaryIO, metadata: Mapping[str, str], tensors: Mapping[str, Stream]
) -> int:
    """Write a sealed container to a seekable stream from its start; return its size in bytes."""
    header = _header_bytes(metadata, tensors)
    digest = hashlib.sha256(header)
    file.write(header)
    for tensor in tensors.values():
        for block in tensor.blocks:
            digest.update(block.data)
            file.write(block.data)
    file.seek(CHECKSUM_OFFSET)
    file.write(digest.hexdigest().encode())
    return file.seek(0, os.SEEK_END)


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, after the library's own checks.

    Raises
    ------
    TercelError
        If the file cannot be read, is truncated, or is not a safetensors file.
    """
    try:
        refuse_foreign(path)
        with open(path, "rb") as file:  # before safe_open, whose errors say less
            length = int.from_bytes(file.read(8), "little")
            with safe_open(path, framework="numpy"):
                pass
            entries = json.loads(file.read(length))
    except OSError as error:
        raise TercelError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError) as error:
        raise TercelError(
            f"{path} is not a safetensors file, or is damaged or cut short ({error}); "
            "copy or build it again"
        ) from error
    metadata = entries.pop("__metadata__", None) or {}
    tensors = {
        name: Entry(
            dtype=entry["dtype"],
            shape=tuple(entry["shape"]),
            offset=8 + length + entry["data_offsets"][0],
        )
        for name, entry in entries.items()
    }
    return Header(metadata=metadata, tensors=tensors)


def verify_checksum(path: Path) -> None:
    """Compare a file with its checksum.

    Raises
    ------
    TercelError
        If they differ, or the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            digest.update(file.read(CHECKSUM_OFFSET))
            sealed = file.read(len(UNSEALED))
            digest.update(UNSEALED)
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise TercelError(f"cannot read {path}: {error.strerror or error}") from error
    if sealed != digest.hexdigest().encode():
        raise TercelError(
            f"{path} is damaged: its checksum does not match its bytes; copy or build it again"
        )
