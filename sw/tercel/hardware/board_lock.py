"""The lock that keeps a board to one process."""

import fcntl
import os
from pathlib import Path

from tercel.errors import TercelError

__all__ = ["LOCKS", "BoardLock"]

LOCKS = Path("/run/lock")
"""Folder of locks, writable by every user."""


class BoardLock:
    """An exclusive lock on an accelerator, held until it is closed or the process ends.

    Parameters
    ----------
    name
        Name of the accelerator on this machine.
    folder
        Folder of the lock file, whose text is the process that holds it.

    Raises
    ------
    TercelError
        If another process, or this one, holds the lock already, or the file cannot be written.
    """

    def __init__(self, name: str, *, folder: Path = LOCKS):
        path = folder / f"tercel-{name}.lock"
        try:
            try:
                self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise TercelError(
                f"the lock {path} cannot be opened: {error.strerror}; "
                "run as root, or as the user who made it"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 4096).decode(errors="replace").strip() or "unknown"
            self.close()
            raise TercelError(
                f"the board is held by process {holder}; wait for it to end, or end it"
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()} ({_command()})\n".encode())

    def close(self) -> None:
        """Release the lock."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _command() -> str:
    """The command line of this process, as far as it fits a message."""
    try:
        words = Path("/proc/self/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown command"
    return b" ".join(words).decode(errors="replace").strip()[:120]
