"""A file of a sequence: its tokens and the KV cache that they made."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tercel.device.cache import KVCache
from tercel.device.pass_arguments import check_token_ids
from tercel.errors import TercelError
from tercel.files import whole_file
from tercel.image import Image
from tercel.image.container import (
    Entry,
    Header,
    Stream,
    read_header,
    verify_checksum,
    write_container,
)

__all__ = ["SavedSequence"]

FORMAT = "tercel-cache"
VERSION = "1"
TYPES = {"keys": "I8", "values": "I8", "key_scales": "BF16", "value_scales": "BF16"}
NUMPY = {"I8": "i1", "BF16": "<u2", "I32": "<i4"}


@dataclass(frozen=True, kw_only=True)
class SavedSequence:
    """A sequence of one model, to be continued later, on this or on another device."""

    cache: KVCache
    """Cache of the first positions."""
    tokens: tuple[int, ...]
    """All tokens; those behind the cache's positions are to be read."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Texts that belong to the sequence, such as the messages of a conversation."""

    def write(self, output: str | os.PathLike[str] | BinaryIO, image: Image) -> None:
        """Write the file of a sequence of ``image``, as :func:`tercel.files.whole_file` does.

        Raises
        ------
        TercelError
            If it cannot be written.
        """
        if isinstance(output, (str, os.PathLike)):
            with whole_file(output, inputs=[image.path]) as file:
                return self.write(file, image)
        arrays = self.cache.arrays
        tensors = {name: _stream(array, TYPES[name]) for name, array in arrays.items()}
        tensors["tokens"] = _stream(np.array(self.tokens), "I32")
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "model": image.config.name,
            "image": image.checksum,
            "notes": json.dumps(dict(self.notes)),
        }
        write_container(output, metadata, tensors)

    @classmethod
    def read(cls, path: str | os.PathLike[str], image: Image) -> "SavedSequence":
        """Read the file of a sequence of ``image``.

        Raises
        ------
        TercelError
            If the file is missing, damaged, of another kind or of another model.
        """
        path = Path(path)
        header = read_header(path)
        _check_kind(path, header, image)
        verify_checksum(path)
        tokens = header.tensors["tokens"]
        positions = header.tensors["keys"].shape[2]
        ids = tuple(_read(path, tokens).tolist())
        try:
            check_token_ids(ids, image.config)
            notes = json.loads(header.metadata["notes"])
        except (TercelError, ValueError, RecursionError) as error:
            raise TercelError(f"{path} is damaged: {error}") from None
        cache = KVCache(config=image.config, positions=positions)
        for name, array in cache.arrays.items():
            array[...] = _read(path, header.tensors[name])
        return cls(cache=cache, tokens=ids, notes=notes)


def _stream(array: np.ndarray, dtype: str) -> Stream:
    """A tensor, converted and written row by row."""
    blocks = (np.ascontiguousarray(row, NUMPY[dtype]) for row in array)
    return Stream(shape=array.shape, dtype=dtype, blocks=blocks)


def _read(path: Path, entry: Entry) -> np.ndarray:
    count = int(np.prod(entry.shape))
    values = np.fromfile(path, NUMPY[entry.dtype], count, offset=entry.offset)
    return values.reshape(entry.shape)


def _check_kind(path: Path, header: Header, image: Image) -> None:
    """Check that a file is a sequence of ``image`` before anything large is read."""
    metadata, config = header.metadata, image.config
    if metadata.get("format") != FORMAT:
        raise TercelError(f"{path} is no saved conversation: its format is not {FORMAT!r}")
    if metadata.get("version") != VERSION:
        raise TercelError(
            f"{path} is of version {metadata.get('version')!r}, but this tercel reads {VERSION}; "
            "update tercel, or save it again"
        )
    if metadata.get("image") != image.checksum:
        raise TercelError(
            f"{path} was made with another model, {metadata.get('model')!r} of the checksum "
            f"{str(metadata.get('image'))[:12]}, not with {config.name!r} of "
            f"{image.checksum[:12]}; the numbers of one model mean nothing to another"
        )
    tensors = header.tensors
    types = {name: entry.dtype for name, entry in tensors.items()}
    sizes = {name: entry.shape for name, entry in tensors.items()}
    positions = sizes.get("keys", (0, 0, 0))[2] if len(sizes.get("keys", ())) == 4 else 0
    heads = (config.layers, config.kv_heads, positions)
    expected = {name: heads + (config.head_size,) * (kind == "I8") for name, kind in TYPES.items()}
    tokens = sizes.pop("tokens", ())
    if (
        types != {**TYPES, "tokens": "I32"}
        or sizes != expected
        or len(tokens) != 1
        or not 0 < positions <= min(tokens[0], config.context)
        or "notes" not in metadata
    ):
        raise TercelError(f"{path} has not the tensors of a cache of {config.name}; it is damaged")
