"""Progress bar of a training run."""

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["Progress"]


class Progress:
    """Bar with steps, loss, tokens per second and time left; a context manager.

    Parameters
    ----------
    steps : int
        Length of the run.
    shown : bool
        False draws nothing.
    """

    def __init__(self, steps: int, *, shown: bool):
        columns = (
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[speed]:.0f} tok/s"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, disable=not shown)
        self._task = self._bar.add_task("train", total=steps, loss=float("nan"), speed=0.0)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def update(self, step: int, loss: float) -> None:
        """Show the number of updates done and the loss of the last one."""
        self._bar.update(self._task, completed=step, loss=loss)

    def speed(self, tokens_per_second: float) -> None:
        """Show the throughput."""
        self._bar.update(self._task, speed=tokens_per_second)
