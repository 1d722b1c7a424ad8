"""The accelerator's interrupt, as the kernel's UIO driver delivers it."""

import os
import select
import struct
from pathlib import Path
from typing import Protocol

from tercel.errors import TercelError

__all__ = ["Interrupt", "UioInterrupt"]


class Interrupt(Protocol):
    """A source of interrupts."""

    def wait(self, timeout: float) -> bool:
        """Wait for an interrupt, at most ``timeout`` seconds; return True if one came.

        One that came earlier and has not been waited for counts too.
        """
        ...

    def close(self) -> None:
        """Release the source."""
        ...


class UioInterrupt:
    """Interrupt of a UIO device, whose driver masks it until it is waited for again.

    Parameters
    ----------
    path
        The device, as ``/dev/uio4``.

    Raises
    ------
    TercelError
        If the device cannot be opened.
    """

    def __init__(self, path: Path):
        try:
            self._file = os.open(path, os.O_RDWR)
        except OSError as error:
            raise TercelError(f"the interrupt {path} cannot be opened: {error.strerror}") from None

    def wait(self, timeout: float) -> bool:
        os.write(self._file, struct.pack("=i", 1))
        ready, _, _ = select.select([self._file], [], [], timeout)
        if ready:
            os.read(self._file, 4)
        return bool(ready)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
