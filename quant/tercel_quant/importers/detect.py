"""Finding out what a checkpoint is."""

from pathlib import Path

from tercel.errors import TercelError
from tercel_quant.importers.checkpoint import Checkpoint
from tercel_quant.importers.gguf import MAGIC, GgufCheckpoint
from tercel_quant.importers.huggingface import HuggingFaceCheckpoint
from tercel_quant.importers.trained import TrainedCheckpoint

__all__ = ["open_checkpoint"]


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Open a Hugging Face checkpoint folder, a GGUF file or weights of tercel's trainer.

    Raises
    ------
    TercelError
        If the path is none of these, or the reader refuses what it finds.
    """
    path = Path(path)
    if not path.exists():
        raise TercelError(f"{path} does not exist")
    if path.is_dir():
        if (path / "config.json").exists():
            return HuggingFaceCheckpoint(path)
        raise TercelError(f"{path} holds no config.json; give a Hugging Face folder or a GGUF file")
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic == MAGIC:
        return GgufCheckpoint(path)
    if path.suffix == ".safetensors":
        return TrainedCheckpoint(path)
    raise TercelError(
        f"{path} is no GGUF file: it starts with {magic!r}; "
        "give a GGUF file, a .safetensors of tercel's trainer, "
        "or the folder that holds config.json and the safetensors"
    )
