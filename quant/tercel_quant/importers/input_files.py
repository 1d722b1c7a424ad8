"""The files of a checkpoint that an output must not replace."""

from pathlib import Path

__all__ = ["checkpoint_files"]

PATTERNS = ("*.json", "*.jinja", "*.model", "*.safetensors", "*.bin")
"""Input files in a Hugging Face folder."""


def checkpoint_files(path: Path | str) -> list[Path]:
    """Files that the reader of a checkpoint may open; possibly none. Nothing is read."""
    path = Path(path)
    if path.is_dir():
        return [file for pattern in PATTERNS for file in path.glob(pattern)]
    if path.suffix == ".safetensors":  # of the trainer, with an optional tokenizer beside it
        return [path, path.with_name("tokenizer.json")]
    return [path]
