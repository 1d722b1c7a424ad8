"""The loop of a training: progress, checkpoints, interruption."""

import hashlib
import time
from typing import Protocol

from torch import Tensor

from tercel_quant.interruption import Interruption
from tercel_quant.progress import Progress

__all__ = ["Steps", "run_steps", "text_digest"]

CHECKPOINT_SECONDS = 60.0


class Steps(Protocol):
    """A training that is done step by step."""

    step: int
    """Number of steps done."""

    def advance(self) -> list[float]:
        """Do one step; return its losses."""
        ...

    def save(self) -> None:
        """Write a checkpoint."""
        ...


def text_digest(tokens: Tensor) -> str:
    """Hexadecimal digest of a text ``[sequences, time]``, which binds a checkpoint to it."""
    shape = str(tuple(tokens.shape)).encode()
    return hashlib.sha256(shape + tokens.contiguous().numpy().tobytes()).hexdigest()


def run_steps(training: Steps, steps: int, *, progress: bool = True) -> None:
    """Run a training up to a number of steps, from where it is.

    Raises
    ------
    KeyboardInterrupt
        After SIGINT or SIGTERM, once a checkpoint is written.
    """
    saved = time.monotonic()
    with Interruption() as asked, Progress(steps, shown=progress) as bar:
        while training.step < steps:
            losses = training.advance()
            bar.update(training.step, sum(losses) / len(losses))
            if asked.asked or time.monotonic() - saved >= CHECKPOINT_SECONDS:
                training.save()
                saved = time.monotonic()
            if asked.asked:
                raise KeyboardInterrupt
    training.save()
