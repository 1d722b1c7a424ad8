"""Files of trained drafters: a safetensors file that is bound to its model.

A file ``NAME.KIND.drafter`` lies beside the image ``NAME.tercel``. Its metadata names the kind, the
model it was made for, and how it was made.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tercel.errors import TercelError
from tercel.files import write_whole
from tercel.image import Image

__all__ = [
    "DrafterFile",
    "MissingDrafterError",
    "drafter_path",
    "load_drafter",
    "model_identity",
    "save_drafter",
]

FORMAT = "tercel-drafter"
VERSION = "1"
SUFFIX = ".drafter"
TYPES = {"I8": "<i1", "U8": "<u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4"}
TYPES |= {"I64": "<i8", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8"}


class MissingDrafterError(TercelError):
    """There is no file of a drafter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrafterFile:
    """The content of a file."""

    tensors: Mapping[str, npt.NDArray]
    """Read-only arrays, mapped from the file."""
    settings: Mapping[str, object]
    """The drafter's parameters and its training, as JSON values."""


def drafter_path(image: Path, kind: str) -> Path:
    """The file of a kind of drafter beside an image."""
    return image.with_name(f"{image.stem}.{kind}{SUFFIX}")


def model_identity(image: Image) -> str:
    """Hexadecimal digest of a model: the same for every memory layout of its image.

    Covers shape, tokenizer and the gains of all norms, which no two trained models share, but no
    shortlist, which leaves the model as it is.
    """
    config = image.config
    digest = hashlib.sha256(replace(config, shortlist=0).to_json().encode())
    digest.update(image.tokenizer or b"")
    for layer in range(config.layers):
        for norm in config.norms():
            digest.update(image.gain(f"layers.{layer}.{norm}").tobytes())
    digest.update(image.gain("norm").tobytes())
    return digest.hexdigest()


def save_drafter(
    path: Path,
    *,
    kind: str,
    image: Image,
    tensors: Mapping[str, npt.NDArray],
    settings: Mapping[str, object],
) -> None:
    """Write a trained drafter, whole or not at all.

    Raises
    ------
    TercelError
        If the file cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "model": model_identity(image),
        "model_name": image.config.name,
        "settings": json.dumps(settings, sort_keys=True),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_whole(path, _sorted_header(save(arrays, metadata)))


def _sorted_header(content: bytes) -> bytes:
    """Sort the header's entries, whose order differs from run to run, so that equal drafters have
    equal files."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"))
    header += " " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header.encode() + content[end:]


def load_drafter(path: Path, *, kind: str, image: Image) -> DrafterFile:
    """Map a trained drafter from its file.

    Raises
    ------
    MissingDrafterError
        If there is no such file.
    TercelError
        If the file cannot be read, is damaged, or belongs to another kind or model.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            with safe_open(path, framework="numpy") as opened:
                metadata = opened.metadata() or {}
            entries = json.loads(file.read(length))
    except FileNotFoundError:
        raise MissingDrafterError(
            f"there is no {path}; train it with `tercel train-drafter {kind} {image.path}`"
        ) from None
    except OSError as error:
        raise TercelError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError) as error:
        raise TercelError(
            f"{path} is not a drafter's file, or is damaged or cut short ({error}); "
            "copy it again or train it with `tercel train-drafter`"
        ) from error
    expected = {"format": FORMAT, "version": VERSION, "kind": kind}
    found = {name: metadata.get(name) for name in expected}
    if found != expected:
        raise TercelError(
            f"{path} must be a drafter of the kind {kind!r} and version {VERSION}, but its "
            f"metadata has the kind {found['kind']!r} and version {found['version']!r}; "
            f"train it with `tercel train-drafter {kind}`"
        )
    if metadata.get("model") != model_identity(image):
        raise TercelError(
            f"{path} was made for another model ({metadata.get('model_name')}) than "
            f"{image.path.name}; train it for this one with `tercel train-drafter {kind}`"
        )
    entries.pop("__metadata__", None)
    content = np.memmap(path, np.uint8, mode="r")
    try:
        settings = json.loads(metadata["settings"])
        tensors = {}
        for name, entry in entries.items():
            first, end = (8 + length + offset for offset in entry["data_offsets"])
            flat = content[first:end].view(TYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    except (KeyError, ValueError) as error:
        raise TercelError(
            f"{path} was not written by `tercel train-drafter {kind}` ({error}); train it again"
        ) from error
    return DrafterFile(tensors=tensors, settings=settings)
