"""A port's region of memory, of which the host may hold copies in its cache."""

import abc

import numpy as np
import numpy.typing as npt

__all__ = ["LINE_BYTES", "PortBuffer"]

LINE_BYTES = 64
"""Bytes of a line of the host's cache, or a multiple."""


class PortBuffer(abc.ABC):
    """Contiguous memory that both the host and a port of the accelerator reach.

    It begins and ends with a line of the cache. The accelerator does not see what is in the cache:
    the host flushes what it writes and invalidates what it reads, in whole lines.
    """

    content: npt.NDArray[np.uint8]
    """The bytes as the host sees them, uint8 ``[bytes]``."""
    address: int
    """Address of the first byte as the accelerator sees it."""

    @abc.abstractmethod
    def flush(self, first: int, size: int) -> None:
        """Write the host's copies of ``size`` bytes from ``first`` on to memory."""

    @abc.abstractmethod
    def invalidate(self, first: int, size: int) -> None:
        """Drop the host's copies of ``size`` bytes from ``first`` on."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free the memory; :attr:`content` must not be used afterwards."""
