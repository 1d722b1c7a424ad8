"""Reader of weights from tercel's own trainer."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.bitlinear import PRECISIONS
from tercel_quant.importers.checkpoint import Checkpoint, check_finite
from tercel_quant.importers.json_file import read_bytes
from tercel_quant.importers.names import canonical_shapes, check_tensors

__all__ = ["TrainedCheckpoint"]


class TrainedCheckpoint(Checkpoint):
    """A safetensors file with the model's config and precision in its metadata.

    A ``tokenizer.json`` beside the file is the model's tokenizer.

    Parameters
    ----------
    path : Path

    Raises
    ------
    TercelError
        If the file is damaged or not from the trainer, or a tensor is missing, unexpected or of the
        wrong shape.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                names = list(file.keys())
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        except SafetensorError as error:
            raise TercelError(f"{path} is no readable safetensors file: {error}") from None
        if not {"config", "precision"} <= set(metadata):
            raise TercelError(
                f"{path} carries no model config and precision, so tercel's trainer did not write "
                "it; of another checkpoint give the folder that holds its config.json"
            )
        self._config = ModelConfig.from_json(metadata["config"])
        self._precision = metadata["precision"]
        if self._precision not in PRECISIONS or self._config.layers > len(names):
            raise TercelError(
                f"{path} says that it holds {self._config.layers} layers in the precision "
                f"{self._precision!r}, but it has {len(names)} tensors; it is damaged"
            )
        expected = canonical_shapes(self._config)
        check_tensors(shapes, {f"{name}.weight": shape for name, shape in expected.items()})

    @property
    def config(self) -> ModelConfig:
        return self._config

    @property
    def description(self) -> str:
        masters = "float masters of ternary" if self.declared_ternary else "float"
        return f"tercel's trainer, {masters} weights"

    @property
    def declared_ternary(self) -> bool:
        return self._precision == "ternary"

    def matrix(self, name: str) -> Tensor:
        return self.floats(name)

    def tokenizer(self) -> bytes | None:
        path = self._path.parent / "tokenizer.json"
        return read_bytes(path) if path.exists() else None

    def floats(self, name: str) -> Tensor:
        source = f"{name}.weight"
        with safe_open(self._path, framework="pt") as file:
            return check_finite(file.get_tensor(source).float(), source)
