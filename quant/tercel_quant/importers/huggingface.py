"""Checkpoints in Hugging Face's layout: config.json, files of weights, tokenizer.json."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel_export.huggingface.names import LINEARS, NORMS, QK_NORMS, TOP
from tercel_quant.importers.chat_format import huggingface_chat
from tercel_quant.importers.checkpoint import BLOCK_ROWS, Checkpoint, check_finite
from tercel_quant.importers.head_padding import HeadPadding
from tercel_quant.importers.huggingface_config import read_config
from tercel_quant.importers.json_file import read_bytes
from tercel_quant.importers.names import canonical_shapes, check_tensors
from tercel_quant.importers.packed import PER_BYTE, unpack
from tercel_quant.importers.sampling_defaults import SamplingDefaults, huggingface_sampling
from tercel_quant.importers.sentencepiece_folder import MODEL, convert_folder
from tercel_quant.importers.tensor_store import TensorStore
from tercel_quant.importers.ternary import GroupedTernary, Ternary, recognise

__all__ = ["HuggingFaceCheckpoint"]

HEAD = "lm_head.weight"

UNREAD_TOKENIZERS = ("vocab.json", "tekken.json")

DESCRIPTIONS = {
    "float": "float weights",
    "absmean": "float masters of ternary weights",
    "divided": "packed trits, products divided by weight_scale",
    "multiplied": "packed trits, products multiplied by weight_scale",
}


class HuggingFaceCheckpoint(Checkpoint):
    """Llama, Qwen3, MiniCPM, ``bitnet_b1_58-large`` and ``bitnet-b1.58-2B-4T`` checkpoints.

    Factors that a MiniCPM applies beside its weights are in the tensors that are read here.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    TercelError
        If the folder is incomplete, the model has an unsupported feature, or a tensor is missing,
        unexpected or of the wrong shape.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._form = read_config(folder / "config.json", folder.resolve().name)
        self._store = TensorStore(folder)
        check_tensors(
            self._store.shapes,
            self._expected(),
            # A tied model may store its head as well.
            ignored=("rotary_emb.inv_freq", *([HEAD] if self.config.tied_head else [])),
        )

    @property
    def config(self) -> ModelConfig:
        return self._form.model

    @property
    def description(self) -> str:
        return f"Hugging Face {self._form.architecture}, {DESCRIPTIONS[self._form.encoding]}"

    @property
    def declared_ternary(self) -> bool:
        return self._form.encoding != "float"

    @property
    def padding(self) -> HeadPadding | None:
        return self._form.padding

    @property
    def _packed(self) -> bool:
        return self._form.encoding in ("divided", "multiplied")

    def matrix(self, name: str) -> Tensor | Ternary | GroupedTernary:
        source = self._source(name)
        weight = self._store.read(source)
        if not self._packed:
            weight = self._float(weight, source) * self._factor(name)
            return weight if self.declared_ternary else recognise(weight) or weight
        if weight.dtype != torch.uint8:
            raise TercelError(f"{source} must be packed as uint8, not {weight.dtype}")
        scale_name = _scale_name(source)
        scale = float(self._float(self._store.read(scale_name), scale_name))
        if scale <= 0:
            raise TercelError(f"{scale_name} must be positive, not {scale}")
        if self._form.encoding == "divided":
            scale = 1 / scale
        return Ternary(trits=unpack(weight, source), scale=scale)

    def floats(self, name: str) -> Tensor:
        if name in ("embedding", "head"):
            return torch.cat(list(self.row_blocks(name)))
        source = self._source(name)
        return self._float(self._store.read(source), source) * self._factor(name)

    def row_blocks(self, name: str) -> Iterator[Tensor]:
        source = self._source(name)
        copied = name == "embedding" and self.config.tied_head and HEAD in self._store.shapes
        for start in range(0, self.config.vocab_size, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self.config.vocab_size)
            rows = self._store.read_rows(source, start, stop)
            if copied and not torch.equal(rows, self._store.read_rows(HEAD, start, stop)):
                raise TercelError(
                    f"config.json ties the head to the embedding, but {HEAD} is not a copy of "
                    f"{source} (rows {start} to {stop - 1} differ); set tie_word_embeddings to "
                    f"false if the head is the model's own, or delete {HEAD}"
                )
            yield self._float(rows, source) * self._factor(name)

    def tokenizer(self) -> bytes | None:
        path = self._folder / "tokenizer.json"
        if path.exists():
            return read_bytes(path)
        if (self._folder / MODEL).exists():
            return convert_folder(self._folder)
        for name in UNREAD_TOKENIZERS:
            if (self._folder / name).exists():
                raise TercelError(
                    f"{self._folder} brings {name} but no tokenizer.json, which is the one kind "
                    "that is read; write one with transformers: AutoTokenizer.from_pretrained("
                    f"{str(self._folder)!r}).save_pretrained('tokenizer')"
                )
        return None

    def chat(self) -> ChatFormat | None:
        return huggingface_chat(self._folder)

    def sampling(self) -> SamplingDefaults:
        return huggingface_sampling(self._folder / "generation_config.json")

    def _source(self, name: str) -> str:
        """The name of a canonical tensor in the checkpoint."""
        if name in TOP:
            return f"{TOP[name]}.weight"
        _, layer, part = name.split(".")
        within = (LINEARS | NORMS | QK_NORMS | self._form.sub_norms)[part]
        return f"model.layers.{layer}.{within}.weight"

    def _factor(self, name: str) -> float:
        """The factor of a canonical tensor."""
        return self._form.factors.get(name.rpartition(".")[2], 1.0)

    def _expected(self) -> dict[str, tuple[int, ...]]:
        expected = {}
        for name, shape in canonical_shapes(self.config).items():
            source, part = self._source(name), name.rpartition(".")[2]
            if self.padding is not None:
                shape = self.padding.source_shape(part, shape, self.config)
            if self._packed and part in self.config.linears():
                rows, columns = shape
                if rows % PER_BYTE:
                    raise TercelError(f"{source}: packed rows must be a multiple of 4, not {rows}")
                scale = _scale_name(source)
                found = self._store.shapes.get(scale)
                expected[scale] = () if found == () else (1,)
                shape = (rows // PER_BYTE, columns)
            expected[source] = shape
        return expected

    @staticmethod
    def _float(values: Tensor, source: str) -> Tensor:
        if not values.dtype.is_floating_point:
            raise TercelError(f"{source} must hold floats, not {values.dtype}")
        return check_finite(values.float(), source)


def _scale_name(source: str) -> str:
    return f"{source}_scale"
