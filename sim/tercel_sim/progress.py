"""Progress of long work: its steps and their duration."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Progress", "quiet", "terminal"]

Progress = Callable[[str], AbstractContextManager[Any]]
"""Function of a step's name that returns a context, which lasts as long as the step."""


def quiet(step: str) -> AbstractContextManager[Any]:
    """Show nothing."""
    return nullcontext()


@contextmanager
def terminal(step: str) -> Iterator[None]:
    """Show a step and its time on standard error while it lasts, if that is a terminal."""
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    silent = not console.is_terminal
    with Bars(*columns, console=console, transient=True, disable=silent) as bars:
        bars.add_task(step, total=None)
        yield
