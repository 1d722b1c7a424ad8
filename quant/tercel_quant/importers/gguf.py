"""GGUF files of the llama and bitnet architectures, in every type that ``gguf`` dequantises."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.importers.checkpoint import Checkpoint, Ternary, check_finite
from tercel_quant.importers.exact import exact_ternary
from tercel_quant.importers.gguf_config import read_config
from tercel_quant.importers.gguf_tokenizer import tokenizer_json
from tercel_quant.importers.names import canonical_shapes, check_tensors

__all__ = ["MAGIC", "GgufCheckpoint"]

MAGIC = b"GGUF"

PARTS = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
    "attention_norm": "attn_norm",
    "mlp_norm": "ffn_norm",
    "attention_sub_norm": "attn_sub_norm",
    "mlp_sub_norm": "ffn_sub_norm",
}
TOP = {"embedding": "token_embd", "head": "output", "norm": "output_norm"}


class GgufCheckpoint(Checkpoint):
    """A GGUF file.

    Matrices whose weights take only the values ``-s, 0, s`` (what TQ1_0 and TQ2_0 hold of a
    ternary model) are read as trits.

    Parameters
    ----------
    path : Path

    Raises
    ------
    TercelError
        If the file is damaged, its architecture or a part of it is not known, or a tensor is
        missing, unexpected, of the wrong shape or of a type that ``gguf`` cannot read.
    """

    def __init__(self, path: Path):
        try:
            reader = gguf.GGUFReader(path)
        except (ValueError, IndexError, KeyError) as error:
            hint = (
                "; I2_S exists only in bitnet.cpp, convert it to TQ2_0"
                if "(36)" in str(error)
                else ""
            )
            raise TercelError(f"{path} is no readable GGUF file: {error}{hint}") from None
        self._metadata: dict[str, Any] = {
            key: field.contents() for key, field in reader.fields.items()
        }
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self._config = read_config(
            self._metadata, name=path.stem, tied_head=f"{TOP['head']}.weight" not in self._tensors
        )
        self._architecture: str = self._metadata["general.architecture"]
        expected = self._expected()
        scales = {
            name.removesuffix("weight") + "scale": (1,)
            for name, shape in expected.items()
            if len(shape) == 2
        }
        check_tensors(
            {name: tuple(map(int, reversed(t.shape))) for name, t in self._tensors.items()},
            expected | {name: shape for name, shape in scales.items() if name in self._tensors},
        )

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def description(self) -> str:
        counts: dict[str, int] = {}
        for tensor in self._tensors.values():
            kind = tensor.tensor_type.name
            counts[kind] = counts.get(kind, 0) + 1
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        return f"GGUF {self._architecture}, tensors: {kinds}"

    @property
    def trained_ternary(self) -> bool:
        return self._architecture == "bitnet"

    def matrix(self, name: str) -> Tensor | Ternary:
        source = self._source(name)
        weight = self._read(source)
        if (scale_name := source.removesuffix("weight") + "scale") in self._tensors:
            weight = weight * self._read(scale_name)
        part = name.rsplit(".", 1)[-1]
        if self._architecture == "llama" and part in ("q", "k"):
            weight = _rotate_half_order(weight, self.config.head_size)
        return exact_ternary(weight) or weight

    def gain(self, name: str) -> Tensor:
        return self._read(self._source(name))

    def rows(self, name: str) -> Tensor:
        return self._read(self._source(name))

    def tokenizer(self) -> bytes | None:
        return tokenizer_json(self._metadata)

    def _source(self, name: str) -> str:
        """The file's name of a canonical tensor."""
        if name in TOP:
            return f"{TOP[name]}.weight"
        _, layer, part = name.split(".")
        return f"blk.{layer}.{PARTS[part]}.weight"

    def _expected(self) -> dict[str, tuple[int, ...]]:
        shapes = canonical_shapes(self.config)
        return {self._source(name): shape for name, shape in shapes.items()}

    def _read(self, source: str) -> Tensor:
        tensor = self._tensors[source]
        try:
            values = gguf.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError:
            raise TercelError(
                f"{source} has the type {tensor.tensor_type.name}, which cannot be dequantised; "
                "requantise the file to Q8_0 or a float type"
            ) from None
        return check_finite(torch.from_numpy(np.array(values, np.float32)), source)


def _rotate_half_order(weight: Tensor, head_size: int) -> Tensor:
    """Rows from llama.cpp's order to that of rotate-half RoPE.

    llama.cpp's llama pairs rows ``2i`` and ``2i + 1`` of a head, the rotate-half form rows ``i``
    and ``i + head_size / 2``; its converter reorders Q and K accordingly, and this undoes it.
    """
    pairs = weight.reshape(-1, head_size // 2, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape).contiguous()
