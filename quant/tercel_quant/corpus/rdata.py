"""Reader of character vectors in R's lazy-load databases.

An ``.rdb`` file is a sequence of records: the raw size (big-endian uint32), then a zlib stream.
Each stream is a serialised R object in XDR form; objects other than character vectors are skipped.
"""

import struct
import zlib
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["read_character_vectors"]

_STRSXP = 16
_CHARSXP = 9
_TYPE_MASK = 0xFF


def read_character_vectors(path: Path) -> list[list[str]]:
    """Return every character vector of a lazy-load database, in file order.

    Parameters
    ----------
    path : Path
        The ``.rdb`` file.

    Returns
    -------
    list of list of str
        Missing strings (``NA``) become empty ones.

    Raises
    ------
    TercelError
        If the file cannot be read or a record is truncated.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TercelError(f"R data file {path} cannot be read: {error}") from error
    vectors = []
    position = 0
    while position < len(data):
        stream = zlib.decompressobj()
        try:
            record = stream.decompress(data[position + 4 :])
        except zlib.error as error:
            raise TercelError(f"{path} must hold zlib records: {error}") from error
        if not stream.eof:
            raise TercelError(f"{path} is cut short in the record at byte {position}")
        position = len(data) - len(stream.unused_data)
        vector = _read_vector(record)
        if vector is not None:
            vectors.append(vector)
    return vectors


def _read_vector(record: bytes) -> list[str] | None:
    """Return the strings of a serialised character vector, ``None`` for any other object."""
    if record[:2] != b"X\n" or len(record) < 14:
        return None
    (version,) = struct.unpack_from(">i", record, 2)
    position = 14
    if version >= 3:  # the native encoding's name follows
        (size,) = struct.unpack_from(">i", record, position)
        position += 4 + size
    flags, count = struct.unpack_from(">ii", record, position)
    if flags & _TYPE_MASK != _STRSXP:
        return None
    position += 8
    strings = []
    for _ in range(count):
        flags, size = struct.unpack_from(">ii", record, position)
        if flags & _TYPE_MASK != _CHARSXP:
            return None
        position += 8
        strings.append(record[position : position + max(size, 0)].decode("utf-8", "replace"))
        position += max(size, 0)
    return strings
