"""Programs that leave nothing behind."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["child_process"]


@contextmanager
def child_process(command: Sequence[str], **options) -> Iterator[subprocess.Popen]:
    """Start a program, with the options of :class:`subprocess.Popen`.

    It has a session of its own: Ctrl-C in the terminal reaches this process alone, which ends the
    program and all that it started when it leaves the block.
    """
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
