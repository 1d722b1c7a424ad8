"""Child processes that end with all of their own children."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["child_process"]


@contextmanager
def child_process(command: Sequence[str], **options) -> Iterator[subprocess.Popen]:
    """Start a program, with the options of :class:`subprocess.Popen`.

    It has a session of its own: Ctrl-C in the terminal reaches only this process. On leaving the
    block, the program and all processes that it started are ended.
    """
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
