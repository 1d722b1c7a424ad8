"""The files of a checkpoint that an output must not replace."""

from pathlib import Path

__all__ = ["checkpoint_files"]

PATTERNS = ("*.json", "*.safetensors")
"""Of a Hugging Face folder."""


def checkpoint_files(path: Path | str) -> list[Path]:
    """Files that reading a checkpoint may open; nothing is read. There may be none."""
    path = Path(path)
    if path.is_dir():
        return [file for pattern in PATTERNS for file in path.glob(pattern)]
    if path.suffix == ".safetensors":  # of the trainer, which may have a tokenizer beside it
        return [path, path.with_name("tokenizer.json")]
    return [path]
