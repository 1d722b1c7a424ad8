"""Ctrl-C once ends cleanly, twice at once."""

import signal
from collections.abc import Callable
from contextlib import contextmanager

__all__ = ["on_interrupt"]


@contextmanager
def on_interrupt(action: Callable[[], None]):
    """Within the block the first SIGINT calls ``action``; the next does what it did before."""

    def handle(signum, frame) -> None:
        signal.signal(signal.SIGINT, previous)
        action()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
