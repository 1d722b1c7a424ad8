"""Handling of Ctrl-C: the first ends cleanly, the second immediately."""

import signal
from collections.abc import Callable
from contextlib import contextmanager

__all__ = ["on_interrupt"]


@contextmanager
def on_interrupt(action: Callable[[], None]):
    """Within the block, call ``action`` on the first SIGINT; a second has its previous effect."""

    def handle(signum, frame) -> None:
        signal.signal(signal.SIGINT, previous)
        action()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
