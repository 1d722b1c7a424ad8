"""A port's part of a u-dma-buf."""

from typing import Any

from tercel.hardware.port_buffer import PortBuffer
from tercel.hardware.system import Attribute

__all__ = ["UioPortBuffer"]

TO_DEVICE, FROM_DEVICE = 1, 2
MOST_BYTES = 1 << 27
"""Bytes that one call may synchronise: its field has 28 bits."""


class UioPortBuffer(PortBuffer):
    """Part of a u-dma-buf that the host caches, synchronised by its files in ``/sys``.

    Parameters
    ----------
    content
        The bytes of the part.
    address
        Physical address of the part.
    offset
        Its first byte in the u-dma-buf.
    for_device, for_host
        The files ``sync_for_device`` and ``sync_for_cpu``.
    """

    def __init__(
        self, content: Any, *, address: int, offset: int, for_device: Attribute, for_host: Attribute
    ):
        self.content, self.address = content, address
        self._offset = offset
        self._for_device, self._for_host = for_device, for_host

    def flush(self, first: int, size: int) -> None:
        self._synchronise(self._for_device, TO_DEVICE, first, size)

    def invalidate(self, first: int, size: int) -> None:
        self._synchronise(self._for_host, FROM_DEVICE, first, size)

    def close(self) -> None:
        del self.content
        self._for_device.close()
        self._for_host.close()

    def _synchronise(self, file: Attribute, direction: int, first: int, size: int) -> None:
        for start in range(first, first + size, MOST_BYTES):
            part = min(MOST_BYTES, first + size - start)
            # Offset, size (a multiple of 16), direction and the command in one number.
            file.write(f"0x{self._offset + start:08X}{part | direction << 2 | 1:08X}")
