"""Ctrl-C at a chosen time."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer


@contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Send SIGINT to this process if the block takes longer than ``seconds``."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)
