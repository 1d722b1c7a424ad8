"""Prompts of a benchmark, read from files."""

import json
from dataclasses import dataclass
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["Prompt", "read_prompts"]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A text to continue."""

    kind: str
    """Name of its file without suffix."""
    text: str


def read_prompts(path: Path) -> list[Prompt]:
    """Read prompts: a line of a ``.jsonl`` file is an object with ``prompt``; any other file is one
    prompt.

    Raises
    ------
    TercelError
        If the file cannot be read, is no UTF-8, or has no prompt or one that breaks the rule.
    """
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise TercelError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TercelError(f"{path} is not UTF-8 text; convert it") from error
    texts = [content]
    if path.suffix == ".jsonl":
        lines = content.split("\n")  # others of splitlines may stand inside a JSON string
        texts = [_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not any(texts):
        raise TercelError(f"{path} has no prompt; write one into it")
    return [Prompt(kind=path.stem, text=text) for text in texts]


def _line(path: Path, number: int, line: str) -> str:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    text = entry.get("prompt") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text:
        raise TercelError(
            f'line {number} of {path} must be a JSON object with a text, {{"prompt": "..."}}'
        )
    return text
