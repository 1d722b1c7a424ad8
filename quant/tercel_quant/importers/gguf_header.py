"""The header of a GGUF file: metadata and tensor entries."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tercel.errors import TercelError

__all__ = ["MAGIC", "GgufHeader", "TensorEntry", "read_header"]

MAGIC = b"GGUF"
VERSIONS = (2, 3)

SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""Value type to its ``struct`` format."""
STRING, ARRAY = 8, 9
MOST_DIMENSIONS = 4
MOST_BYTES, MOST_ITEMS, MOST_ENTRIES = 1 << 26, 1 << 22, 1 << 16
"""Largest header, most items of all its lists, and most keys or tensors; published ones have 16 MB,
1.4 million (of a vocabulary of 262,144 tokens) and 20,000."""
SMALLEST_VALUE, SMALLEST_TENSOR = 8 + 4 + 1, 8 + 4 + 4 + 8
"""Fewest bytes of a metadata entry (key, type, value) and of a tensor entry (name, number of
dimensions, type, offset)."""


@dataclass(frozen=True, kw_only=True)
class TensorEntry:
    """The header's entry of one tensor."""

    shape: tuple[int, ...]
    """Shape with the slowest axis first, as in NumPy."""
    kind: int
    """Number of the tensor's type, not validated."""
    offset: int
    """Offset of the first byte in the file."""


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """The content of a header."""

    metadata: dict[str, Any]
    """Key to a bool, int, float, string, or list of these."""
    tensors: dict[str, TensorEntry]
    alignment: int
    """Every tensor starts at a multiple of this number of bytes behind the first."""


def read_header(path: Path) -> GgufHeader:
    """Read the header of a little-endian GGUF file.

    Every count is compared with the remaining bytes before anything of its size is allocated, and
    a header has limits, so that a damaged file takes no more time and memory than a large valid
    one, whatever its size.

    Raises
    ------
    TercelError
        If the file cannot be read, is truncated or damaged, or is of another version.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except _DamageError as error:
        raise TercelError(f"{path} is no readable GGUF file: {error}") from None
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise TercelError(f"{path} cannot be read: {error}") from None


class _DamageError(Exception):
    """The file is not a readable GGUF file; the message gives the reason."""


class _Reader:
    """A cursor over the bytes of a file."""

    def __init__(self, data: mmap.mmap):
        self._data = data
        self._at = 0
        self._items = 0

    def header(self) -> GgufHeader:
        if self._take(len(MAGIC)) != MAGIC:
            raise _DamageError("it does not start with GGUF")
        version = self._scalar("I")
        if version & 0xFFFF == 0:
            raise _DamageError(
                "it is big-endian; convert it with `gguf-convert-endian FILE little`"
            )
        if version not in VERSIONS:
            raise _DamageError(f"it has the version {version}, but 2 and 3 are read")
        tensors, values = self._count(SMALLEST_TENSOR), self._count(SMALLEST_VALUE)
        if (most := max(tensors, values)) > MOST_ENTRIES:
            raise _DamageError(
                f"it announces {most} tensors or keys, but no model has more than {MOST_ENTRIES}"
            )
        metadata: dict[str, Any] = {}
        for _ in range(values):
            key = self._string()
            if key in metadata:
                raise _DamageError(f"it has the key {key!r} twice")
            metadata[key] = self._value(self._scalar("I"))
        entries: dict[str, TensorEntry] = {}
        for _ in range(tensors):
            name = self._string()
            if name in entries:
                raise _DamageError(f"it has the tensor {name!r} twice")
            entries[name] = self._tensor()
        alignment = _alignment(metadata.get("general.alignment", 32))
        start = -(-self._at // alignment) * alignment
        return GgufHeader(
            alignment=alignment,
            metadata=metadata,
            tensors={
                name: TensorEntry(shape=e.shape, kind=e.kind, offset=start + e.offset)
                for name, e in entries.items()
            },
        )

    def _tensor(self) -> TensorEntry:
        """Read a tensor entry; its offset is relative to the first tensor."""
        dimensions = self._scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise _DamageError(f"a tensor has {dimensions} dimensions")
        extents = [self._scalar("Q") for _ in range(dimensions)]
        return TensorEntry(
            shape=tuple(reversed(extents)) or (1,),  # some writers give a scale no dimensions
            kind=self._scalar("I"),
            offset=self._scalar("Q"),
        )

    def _value(self, kind: int) -> Any:
        if kind in SCALARS:
            return self._scalar(SCALARS[kind])
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            raise _DamageError(f"a value has the type {kind}, which does not exist")
        item = self._scalar("I")
        if item in SCALARS:
            dtype = np.dtype(f"<{SCALARS[item]}")
            return np.frombuffer(
                self._take(self._items_of(dtype.itemsize) * dtype.itemsize), dtype
            ).tolist()
        if item == STRING:
            return self._strings(self._items_of(8))
        raise _DamageError(f"a list has items of the type {item}, which are not known")

    def _string(self) -> str:
        return self._strings(1)[0]

    def _strings(self, count: int) -> list[str]:
        """Read strings, each after its length; vocabularies have hundreds of thousands."""
        found: list[str] = []
        for _ in range(count):
            size = int.from_bytes(self._take(8), "little")
            try:
                found.append(self._take(size).decode())
            except UnicodeDecodeError:
                raise _DamageError("a string is not UTF-8") from None
        return found

    def _items_of(self, smallest: int) -> int:
        """Read a count of items of a list, within the limit of all lists."""
        count = self._count(smallest)
        self._items += count
        if self._items > MOST_ITEMS:
            raise _DamageError(
                f"its lists announce more than {MOST_ITEMS} items; it is damaged, or no model"
            )
        return count

    def _count(self, smallest: int) -> int:
        """Read a count of items that take ``smallest`` bytes or more each."""
        count = self._scalar("Q")
        left = len(self._data) - self._at
        if count * smallest > left:
            raise _DamageError(
                f"it announces {count} items of {smallest} bytes or more where {left} bytes are "
                "left; it is damaged or cut short"
            )
        return count

    def _scalar(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise _DamageError("it ends within its header; it is damaged or cut short")
        if self._at + size > MOST_BYTES:
            raise _DamageError(
                f"its header announces more than {MOST_BYTES} bytes; it is damaged, or no model"
            )
        self._at += size
        return self._data[self._at - size : self._at]


def _alignment(value: Any) -> int:
    if not isinstance(value, int) or value <= 0 or value & (value - 1):
        raise _DamageError(f"general.alignment must be a power of two, not {value!r:.60}")
    return value
