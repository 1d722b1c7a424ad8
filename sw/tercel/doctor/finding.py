"""One result of an examination."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level"]

Level = Literal["ok", "note", "warning", "failure"]
"""``note``: nothing is known, or nothing can be wrong; ``failure``: models will not run right."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A check's outcome."""

    name: str
    level: Level
    state: str
    """The state that was found."""
    remedy: str = ""
    """The next step, for a warning or a failure."""
