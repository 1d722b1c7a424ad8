"""Entry points of other packages that tell facts about checkpoints and models."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from tercel.errors import TercelError

__all__ = ["find_inspector"]

GROUP = "tercel.inspectors"
"""Entry point group: ``checkpoint`` (facts about a checkpoint), ``presets`` (limits that a model
exceeds) and ``speed`` (tokens a second)."""


def find_inspector(name: str) -> Callable[..., Any] | str:
    """The function of a name, or the name of a package that is not installed and that it needs.

    Raises
    ------
    TercelError
        If no installed package has a function of that name.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                return entry.load()
            except ModuleNotFoundError as error:
                if (error.name or "tercel").startswith("tercel"):
                    raise
                return str(error.name)
    raise TercelError(f"there is no entry point {name!r} in {GROUP}; install tercel again")
