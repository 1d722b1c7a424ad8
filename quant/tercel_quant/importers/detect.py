"""Detection of a checkpoint's kind."""

from pathlib import Path

from tercel.errors import TercelError
from tercel.image.foreign import refuse_pointer
from tercel.runtime import shipped_models
from tercel_quant.importers.checkpoint import Checkpoint
from tercel_quant.importers.gguf import GgufCheckpoint
from tercel_quant.importers.gguf_header import MAGIC
from tercel_quant.importers.huggingface import HuggingFaceCheckpoint
from tercel_quant.importers.trained import TrainedCheckpoint

__all__ = ["open_checkpoint"]

ONNX_MODEL = "model.onnx"
"""Name of the model in a folder of `tercel export`."""


def open_checkpoint(path: Path | str, *, i2s_layout: str | None = None) -> Checkpoint:
    """Open a Hugging Face folder, a GGUF file, weights of tercel's trainer or an exported ONNX.

    Parameters
    ----------
    path
    i2s_layout : str, optional
        Layout of the I2_S tensors of a GGUF file that does not tell it.

    Raises
    ------
    TercelError
        If the path is none of these, or the reader refuses what it finds; the message names the
        path.
    """
    path = Path(path)
    try:
        return _open(path, i2s_layout)
    except TercelError as error:
        if str(path) in str(error):
            raise
        raise TercelError(f"{path}: {error}") from None


def _open(path: Path, i2s_layout: str | None) -> Checkpoint:
    if not path.exists():
        if str(path) in shipped_models():
            raise TercelError(
                f"{path} is a shipped model, so it is an image already; give a checkpoint"
            )
        raise TercelError(f"{path} does not exist; give a checkpoint: a folder or a file")
    if path.is_dir():
        _refuse_layout(i2s_layout)
        if (path / "config.json").exists():
            return HuggingFaceCheckpoint(path)
        if (path / ONNX_MODEL).exists():
            return _onnx(path / ONNX_MODEL)
        raise TercelError(f"{path} holds no config.json; give a Hugging Face folder or a GGUF file")
    try:
        refuse_pointer(path)
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise TercelError(f"{path} cannot be read: {error.strerror or error}") from None
    if magic == MAGIC:
        return GgufCheckpoint(path, i2s_layout=i2s_layout)
    _refuse_layout(i2s_layout)
    if path.suffix == ".safetensors":
        return TrainedCheckpoint(path)
    if path.suffix == ".onnx":
        return _onnx(path)
    raise TercelError(
        f"{path} is no GGUF file: it starts with {magic!r}; "
        "give a GGUF file, a .safetensors of tercel's trainer, "
        "or the folder that holds config.json and the safetensors"
    )


def _onnx(path: Path) -> Checkpoint:
    # Takes half a second, and a library that no other checkpoint needs.
    from tercel_quant.importers.onnx_export import OnnxCheckpoint

    return OnnxCheckpoint(path)


def _refuse_layout(i2s_layout: str | None) -> None:
    if i2s_layout is not None:
        raise TercelError("only GGUF files have I2_S tensors; leave out --i2s-layout")
