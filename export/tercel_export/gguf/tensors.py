"""The tensors of a GGUF file, encoded one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

from tercel.image import Image
from tercel_export.gguf.architecture import Architecture
from tercel_export.gguf.blocks import (
    choose_row_type,
    choose_ternary_type,
    encode_rows,
    encode_trits,
)
from tercel_export.gguf.names import FREQUENCIES, source_name

__all__ = ["Entry", "entries"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tensor of the file."""

    name: str
    canonical: str | None
    """The canonical name of a matrix; ``None`` for other tensors."""
    kind: GGMLQuantizationType
    shape: tuple[int, ...]
    encode: Callable[[], npt.NDArray]
    """Returns the encoded tensor, of :attr:`nbytes` bytes."""

    @property
    def row_bytes(self) -> int:
        block, size = gguf.GGML_QUANT_SIZES[self.kind]
        return self.shape[-1] // block * size

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape[:-1])) * self.row_bytes


def entries(
    image: Image, architecture: Architecture, wanted: GGMLQuantizationType
) -> Iterator[Entry]:
    """The tensors in the order of the model; matrices in the type ``wanted`` where they fit."""
    config = image.config
    yield _rows(image, "embedding")
    for layer in range(config.layers):
        for part in config.norms():
            yield _gain(image, f"layers.{layer}.{part}")
        for part in config.linears():
            yield from _matrix(image, f"layers.{layer}.{part}", architecture, wanted)
    yield _gain(image, "norm")
    if not config.tied_head:
        yield _rows(image, "head")
    if config.rope_factors:
        factors = np.asarray(config.rope_factors, np.float32)
        yield _floats(FREQUENCIES, factors.shape, lambda: factors)


def _floats(name: str, shape: tuple[int, ...], read: Callable[[], npt.NDArray]) -> Entry:
    return Entry(name=name, canonical=None, kind=GGMLQuantizationType.F32, shape=shape, encode=read)


def _gain(image: Image, name: str) -> Entry:
    width = (image.config.norms() | {"norm": image.config.hidden_size})[name.rpartition(".")[2]]
    return _floats(source_name(name), (width,), lambda: image.gain(name))


def _rows(image: Image, name: str) -> Entry:
    shape = image.config.vocab_size, image.config.hidden_size
    kind = choose_row_type(shape[1], image.rows(name)[1])
    return Entry(
        name=source_name(name),
        canonical=None,
        kind=kind,
        shape=shape,
        encode=lambda: encode_rows(*image.rows(name), kind),
    )


def _matrix(
    image: Image, name: str, architecture: Architecture, wanted: GGMLQuantizationType
) -> Iterator[Entry]:
    part = name.rpartition(".")[2]
    shape = image.config.linears()[part]
    own = image.weight_scale(name)
    scale = np.float32(1) if architecture.scales else own
    kind = choose_ternary_type(shape[1], scale, wanted)
    pairs = architecture.pairs and part in ("q", "k")

    def encode() -> npt.NDArray:
        trits = image.ternary(name)
        if pairs:
            trits = _neighbour_order(trits, image.config.head_size)
        return encode_trits(trits, scale, kind)

    source = source_name(name)
    yield Entry(name=source, canonical=name, kind=kind, shape=shape, encode=encode)
    if architecture.scales:
        values = np.asarray([own], np.float32)
        yield _floats(source.removesuffix("weight") + "scale", (1,), lambda: values)


def _neighbour_order(rows: npt.NDArray[np.int8], head_size: int) -> npt.NDArray[np.int8]:
    """Reorder rows from the order of rotate-half RoPE to llama.cpp's.

    llama.cpp's llama pairs rows ``2i`` and ``2i + 1`` of a head, the rotate-half form rows ``i``
    and ``i + head_size / 2``.
    """
    halves = rows.reshape(-1, 2, head_size // 2, rows.shape[1])
    return np.ascontiguousarray(halves.transpose(0, 2, 1, 3)).reshape(rows.shape)
