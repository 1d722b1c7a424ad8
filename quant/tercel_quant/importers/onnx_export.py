"""Reader of the ONNX models that ``tercel export`` writes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tercel.config import ModelConfig
from tercel.image import ChatFormat
from tercel_export.onnx.reader import OnnxModel
from tercel_quant.importers.chat_format import huggingface_chat
from tercel_quant.importers.checkpoint import Checkpoint
from tercel_quant.importers.json_file import read_bytes
from tercel_quant.importers.sampling_defaults import SamplingDefaults, huggingface_sampling
from tercel_quant.importers.ternary import Ternary

__all__ = ["OnnxCheckpoint"]


class OnnxCheckpoint(Checkpoint):
    """An ONNX file of the forms ``onnx``, ``onnx-nbits`` and ``onnx-dq``.

    The tokenizer, the chat template and the sampling come from the files beside it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    TercelError
        If the file is damaged, was changed, or was not written by ``tercel export``.
    """

    def __init__(self, path: Path):
        self._path = path
        self._model = OnnxModel(path)

    @property
    def config(self) -> ModelConfig:
        return self._model.config

    @property
    def description(self) -> str:
        return f"ONNX of `tercel export`, form {self._model.form}"

    @property
    def declared_ternary(self) -> bool:
        return True

    def matrix(self, name: str) -> Ternary:
        trits = torch.from_numpy(self._model.ternary(name))
        return Ternary(trits=trits, scale=float(self._model.weight_scale(name)))

    def floats(self, name: str) -> Tensor:
        if name not in ("embedding", "head"):
            return torch.from_numpy(self._model.gain(name))
        values, scales = self._model.rows(name)
        return torch.from_numpy(values * scales[:, None])

    def quantised_rows(
        self, name: str
    ) -> Iterator[tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]]:
        yield self._model.rows(name)

    def tokenizer(self) -> bytes | None:
        path = self._path.parent / "tokenizer.json"
        return read_bytes(path) if path.exists() else None

    def chat(self) -> ChatFormat | None:
        return huggingface_chat(self._path.parent)

    def sampling(self) -> SamplingDefaults:
        return huggingface_sampling(self._path.parent / "generation_config.json")
