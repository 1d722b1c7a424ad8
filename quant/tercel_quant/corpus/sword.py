"""Reader of SWORD modules: zlib-compressed blocks of Bible text or commentary, with an index.

A module folder has up to two testaments, ``ot`` and ``nt``, of three files each (the letter before
the ``z`` is the block size: ``b``ook, ``c``hapter or ``v``erse; all are read in the same way):

* ``ot.bzz``: the compressed blocks;
* ``ot.bzs``: per block its offset, compressed size and raw size, each uint32;
* ``ot.bzv``: per entry its block (uint32), its start in the raw block (uint32) and its size, which
  is uint16 (10 bytes an entry) or uint32 (12 bytes an entry).

All numbers are little-endian. The module's configuration file does not reliably give the size of an
entry, so the reader chooses the size for which every entry lies inside its block.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["find_modules", "read_entries"]

_ENTRY_FORMATS = ("<IIH", "<III")


def find_modules(folder: Path) -> list[Path]:
    """Return the module folders below a folder, sorted."""
    return sorted({path.parent for path in folder.rglob("*.?zz")})


def read_entries(module: Path) -> Iterator[str]:
    """Yield the marked-up text of every non-empty entry, Old Testament first.

    Neighbouring index entries with the same text (a comment on several verses) are yielded once.

    Parameters
    ----------
    module : Path
        Folder with the testaments' files.

    Yields
    ------
    str
        One entry: a heading, a chapter mark, a verse or a comment, in OSIS markup.

    Raises
    ------
    TercelError
        If a file is missing or the index and the blocks disagree.
    """
    for data in sorted(module.glob("*.?zz"), key=lambda path: path.name.startswith("nt")):
        kind = data.suffix[:-1]
        blocks = _read_blocks(data, data.with_suffix(kind + "s"))
        previous = None
        for entry in _read_index(data.with_suffix(kind + "v"), [len(block) for block in blocks]):
            if entry[2] and entry != previous:
                previous = entry
                block, start, size = entry
                yield blocks[block][start : start + size].decode("utf-8", errors="replace")


def _read_blocks(data_path: Path, sizes_path: Path) -> list[bytes]:
    data, sizes = _read(data_path), _read(sizes_path)
    if len(sizes) % 12:
        raise TercelError(f"{sizes_path} must hold 12 bytes a block, not {len(sizes)} in all")
    try:
        return [
            zlib.decompress(data[offset : offset + size])
            for offset, size, _ in struct.iter_unpack("<III", sizes)
        ]
    except zlib.error as error:
        raise TercelError(f"{data_path} must hold zlib blocks: {error}") from error


def _read_index(path: Path, block_sizes: list[int]) -> list[tuple[int, int, int]]:
    index = _read(path)
    for layout in _ENTRY_FORMATS:
        if len(index) % struct.calcsize(layout):
            continue
        entries = list(struct.iter_unpack(layout, index))
        if all(
            not size or (block < len(block_sizes) and start + size <= block_sizes[block])
            for block, start, size in entries
        ):
            return entries
    raise TercelError(f"{path} must point into its module's blocks, with 10 or 12 bytes an entry")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TercelError(f"SWORD module file {path} cannot be read: {error}") from error
