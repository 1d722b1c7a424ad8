"""Reader of GGUF files: architectures llama and bitnet."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel_export.gguf.names import FREQUENCIES, PARTS, TOP, source_name
from tercel_quant.importers.chat_format import gguf_chat
from tercel_quant.importers.checkpoint import BLOCK_ROWS, Checkpoint, check_finite
from tercel_quant.importers.fields import describe
from tercel_quant.importers.gguf_config import read_config
from tercel_quant.importers.gguf_header import read_header
from tercel_quant.importers.gguf_i2s_layout import I2S, choose_layout, layout_name
from tercel_quant.importers.gguf_tensors import GgufTensors
from tercel_quant.importers.gguf_tokenizer import tokenizer_json
from tercel_quant.importers.gguf_types import type_name
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.importers.names import canonical_shapes, check_tensors
from tercel_quant.importers.sampling_defaults import SamplingDefaults, gguf_sampling
from tercel_quant.importers.ternary import GroupedTernary, Ternary, recognise

__all__ = ["GgufCheckpoint"]


class GgufCheckpoint(Checkpoint):
    """A GGUF file.

    Matrices with ternary values, in whatever type, are returned as trits.

    Parameters
    ----------
    path : Path
    i2s_layout : str, optional
        Layout of the I2_S tensors, one of ``I2S_LAYOUTS``; by default it is told by the weights.

    Raises
    ------
    TercelError
        If the file is damaged, its architecture or a feature is not supported, or a tensor is
        missing, unexpected, of the wrong shape or of a type that is not read.
    """

    def __init__(self, path: Path, *, i2s_layout: str | None = None):
        header = read_header(path)
        self._metadata = header.metadata
        _refuse_part(path, header.metadata)
        form = read_config(
            self._metadata, name=path.stem, tied_head=f"{TOP['head']}.weight" not in header.tensors
        )
        self._config, self._padding = form.model, form.padding
        self._architecture: str = self._metadata["general.architecture"]
        expected = self._expected()
        scales = {
            name.removesuffix("weight") + "scale": (1,)
            for name, shape in expected.items()
            if len(shape) == 2
        }
        optional = scales | {FREQUENCIES: (self._head_size // 2,)}
        check_tensors(
            {name: entry.shape for name, entry in header.tensors.items()},
            expected | {name: shape for name, shape in optional.items() if name in header.tensors},
        )
        self._tensors = GgufTensors(np.memmap(path, np.uint8, "r"), header)
        self._i2s = choose_layout(self._tensors, self._config.layers, i2s_layout)
        self._told = i2s_layout is None
        if FREQUENCIES in header.tensors:
            self._config = self._with_frequencies()
        # Some files of tied models store the head as well.
        if not form.model.tied_head and self._tensors.are_copies(
            source_name("embedding"), source_name("head")
        ):
            self._config = replace(self._config, tied_head=True)

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def padding(self) -> HeadPadding | None:
        return self._padding

    @property
    def _head_size(self) -> int:
        """Elements of a head in the file."""
        return self._config.head_size if self._padding is None else self._padding.size

    @property
    def description(self) -> str:
        counts: dict[str, int] = {}
        for entry in self._tensors.entries.values():
            kind = type_name(entry.kind)
            if entry.kind == I2S and self._i2s is not None:
                how = ", told by the weights" if self._told else ""
                kind += f" (of the layout {layout_name(self._i2s)}{how})"
            counts[kind] = counts.get(kind, 0) + 1
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        return f"GGUF {self._architecture}, tensors: {kinds}"

    @property
    def declared_ternary(self) -> bool:
        # GGUF files have inference weights, never masters, so the weights themselves decide.
        return False

    def matrix(self, name: str) -> Tensor | Ternary | GroupedTernary:
        source = source_name(name)
        weight = self._read(source)
        if (scale_name := source.removesuffix("weight") + "scale") in self._tensors.entries:
            weight = weight * self._read(scale_name)
        part = name.rsplit(".", 1)[-1]
        if self._architecture == "llama" and part in ("q", "k"):
            weight = _rotate_half_order(weight, self._head_size)
        return recognise(weight) or weight

    def floats(self, name: str) -> Tensor:
        return self._read(source_name(name))

    def row_blocks(self, name: str) -> Iterator[Tensor]:
        source = source_name(name)
        if not self._tensors.has_whole_rows(source):
            yield from super().row_blocks(name)
            return
        for start in range(0, self.config.vocab_size, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self.config.vocab_size)
            rows = torch.from_numpy(self._tensors.read_rows(source, start, stop))
            yield check_finite(rows, source)

    def tokenizer(self) -> bytes | None:
        return tokenizer_json(self._metadata)

    def chat(self) -> ChatFormat | None:
        return gguf_chat(self._metadata)

    def sampling(self) -> SamplingDefaults:
        return gguf_sampling(self._metadata)

    def _expected(self) -> dict[str, tuple[int, ...]]:
        expected = {}
        for name, shape in canonical_shapes(self.config).items():
            part = name.rpartition(".")[2]
            if self._padding is not None and part in PARTS:
                shape = self._padding.source_shape(part, shape, self.config)
            expected[source_name(name)] = shape
        return expected

    def _with_frequencies(self) -> ModelConfig:
        """The config with the divisors of the RoPE frequencies, which llama.cpp keeps as a tensor.

        Raises
        ------
        TercelError
            If the metadata scale RoPE as well.
        """
        own, base = tuple(self._read(FREQUENCIES).tolist()), self._config.rope_base
        padding = self._padding
        unscaled = () if padding is None else padding.rope_factors((), base=base)
        if self._config.rope_factors != unscaled:
            raise TercelError(f"{FREQUENCIES} and the metadata both scale RoPE; drop one of them")
        factors = own if padding is None else padding.rope_factors(own, base=base)
        return replace(self._config, rope_factors=factors)

    def _read(self, source: str) -> Tensor:
        layout = self._i2s if self._tensors.entries[source].kind == I2S else None
        values = self._tensors.read(source, layout)
        return check_finite(torch.from_numpy(values), source)


def _refuse_part(path: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse one part of a model that is split over several files."""
    if (count := metadata.get("split.count", 1)) != 1:
        raise TercelError(
            f"{path} is one of {describe(count)} parts of a split model; join them with "
            "`llama-gguf-split --merge FIRST_PART WHOLE.gguf` and give the whole"
        )


def _rotate_half_order(weight: Tensor, head_size: int) -> Tensor:
    """Reorder rows from llama.cpp's order to that of rotate-half RoPE.

    llama.cpp's llama pairs rows ``2i`` and ``2i + 1`` of a head, the rotate-half form rows ``i``
    and ``i + head_size / 2``. llama.cpp's converter permutes Q and K; this is the inverse.
    """
    pairs = weight.reshape(-1, head_size // 2, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape).contiguous()
