"""The files of a checkpoint that an output must not replace."""

from pathlib import Path

__all__ = ["checkpoint_files"]

PATTERNS = (
    *("*.json", "*.jinja", "*.model", "*.safetensors", "*.bin"),
    *("*.onnx", "*.onnx.data"),
)
"""Input files in a Hugging Face folder or one of ``tercel export``."""


def checkpoint_files(path: Path | str) -> list[Path]:
    """Files that the reader of a checkpoint may open; possibly none. Nothing is read."""
    path = Path(path)
    if path.is_dir():
        return [file for pattern in PATTERNS for file in path.glob(pattern)]
    if path.suffix == ".safetensors":  # of the trainer, with an optional tokenizer beside it
        return [path, path.with_name("tokenizer.json")]
    if path.suffix == ".onnx":  # with its data and the tokenizer beside it
        return checkpoint_files(path.parent)
    return [path]
