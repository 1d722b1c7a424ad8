"""The Linux system around the accelerator: its files below a root folder."""

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from tercel.errors import TercelError
from tercel.hardware.interrupt import Interrupt, UioInterrupt
from tercel.hardware.timer import HostTimer, Timer

__all__ = ["Attribute", "System"]


class Attribute:
    """A file of ``/sys`` that is written again and again.

    Raises
    ------
    TercelError
        If it cannot be opened.
    """

    def __init__(self, path: Path):
        try:
            self._file = os.open(path, os.O_WRONLY)
        except OSError as error:
            raise TercelError(f"{path} cannot be written: {error.strerror}; run as root") from None

    def write(self, text: str) -> None:
        os.pwrite(self._file, text.encode(), 0)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


class System:
    """Files and devices of a Linux system.

    Parameters
    ----------
    root
        Folder in place of ``/``.
    """

    def __init__(self, root: Path = Path("/")):
        self.root = root
        self.timer: Timer = HostTimer()

    def path(self, path: str) -> Path:
        """The place of an absolute path."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str | None:
        """Text of a file without white space around it; ``None`` if it cannot be read."""
        try:
            return self.path(path).read_text(errors="replace").strip().strip("\0")
        except OSError:
            return None

    def names(self, folder: str) -> list[str]:
        """Names of the entries of a folder, those of numbers in order; none without the folder."""
        found = [path.name for path in self.path(folder).glob("*")]
        return sorted(found, key=lambda name: (len(name), name))

    def map(self, path: str, size: int) -> Any:
        """The first bytes of a device as an array, uint8 ``[size]``, as its driver caches them.

        Raises
        ------
        TercelError
            If it cannot be opened or mapped.
        """
        place = self.path(path)
        try:
            file = os.open(place, os.O_RDWR | os.O_CLOEXEC)
            try:
                return np.frombuffer(mmap.mmap(file, size), np.uint8)
            finally:
                os.close(file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TercelError(
                f"{place} cannot be mapped: {reason}; run as root, or give yourself the device's "
                "group by a udev rule (docs/board.md)"
            ) from None

    def attribute(self, path: str) -> Attribute:
        """A file of ``/sys`` to be written."""
        return Attribute(self.path(path))

    def interrupt(self, path: str) -> Interrupt:
        """The interrupt of a UIO device."""
        return UioInterrupt(self.path(path))
