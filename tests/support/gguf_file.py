"""Writer of GGUF files of any content, valid or not: ``gguf`` writes only types that it knows."""

import struct
from pathlib import Path
from typing import Any

SCALARS = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(item: Any) -> bytes:
    """The type and the bytes of a metadata value."""
    if isinstance(item, str):
        return struct.pack("<I", 8) + string(item)
    if isinstance(item, list):
        if isinstance(item[0], str):
            return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(string, item))
        # token types are signed in llama.cpp's files
        number, code = (5, "i") if isinstance(item[0], int) else SCALARS[type(item[0])]
        return struct.pack(f"<IIQ{len(item)}{code}", 9, number, len(item), *item)
    number, code = SCALARS[type(item)]
    return struct.pack(f"<I{code}", number, item)


def write_gguf(
    path: Path,
    metadata: dict[str, Any],
    tensors: dict[str, tuple[int, tuple[int, ...], bytes]],
    *,
    alignment: int = 32,
) -> Path:
    """Write a file.

    Parameters
    ----------
    path
    metadata
        Strings, bools, unsigned 32-bit integers, 32-bit floats, and lists of them.
    tensors
        Name to the number of the type, the shape with the slowest axis first, and the bytes.
    alignment
    """
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, item in metadata.items():
        header += string(key) + value(item)
    offset, body = 0, b""
    for name, (kind, shape, data) in tensors.items():
        extents = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        header += string(name) + extents + struct.pack("<IQ", kind, offset)
        body += data + bytes(-len(data) % alignment)
        offset = len(body)
    header += bytes(-len(header) % alignment)
    path.write_bytes(header + body)
    return path
