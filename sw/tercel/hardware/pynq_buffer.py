"""A port's memory as a buffer of pynq."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tercel.hardware.bank_stagger import BANK_SPAN, stagger_skip
from tercel.hardware.port_buffer import PortBuffer

__all__ = ["PynqPortBuffer", "staggered_buffer"]


class PynqPortBuffer(PortBuffer):
    """Buffer of ``pynq.allocate``, which the host caches.

    pynq 3.1 and later synchronise the whole buffer whatever part is meant, which takes a second
    for a model of a gigabyte; there the part is given to the buffer object of XRT.

    Parameters
    ----------
    buffer
        A ``PynqBuffer`` of uint8.
    skip
        Bytes at its start that are not the port's.
    """

    def __init__(self, buffer: Any, *, skip: int = 0):
        self._buffer, self._skip = buffer, skip
        self.content = np.asarray(buffer)[skip:]
        self.address = int(buffer.device_address) + skip

    def flush(self, first: int, size: int) -> None:
        self._synchronise(first, size, to_device=True)

    def invalidate(self, first: int, size: int) -> None:
        self._synchronise(first, size, to_device=False)

    def close(self) -> None:
        del self.content
        self._buffer.freebuffer()

    def _synchronise(self, first: int, size: int, *, to_device: bool) -> None:
        first += self._skip
        handle = self._buffer.bo
        if hasattr(handle, "sync"):
            import pyxrt  # pyright: ignore[reportMissingImports]

            directions = pyxrt.xclBOSyncDirection
            direction = (
                directions.XCL_BO_SYNC_BO_TO_DEVICE
                if to_device
                else directions.XCL_BO_SYNC_BO_FROM_DEVICE
            )
            handle.sync(direction, size, first)
            return
        part = self._buffer[first : first + size]
        part.flush() if to_device else part.invalidate()


def staggered_buffer(
    allocate: Callable[[int], Any], size: int, before: Sequence[PynqPortBuffer]
) -> PynqPortBuffer:
    """Allocate the buffer of the next port so that it begins in that port's bank of the DRAM.

    Most often the allocator's addresses are all in the same bank; then a larger buffer is taken,
    whose start is skipped.

    Parameters
    ----------
    allocate
        Returns a ``PynqBuffer`` of so many bytes.
    size
        Bytes that the port needs.
    before
        Buffers of the ports before.
    """
    made = PynqPortBuffer(allocate(size))
    first = before[0].address if before else made.address
    if not stagger_skip(made.address, first=first, port=len(before)):
        return made
    made.close()
    larger = allocate(size + BANK_SPAN)
    skip = stagger_skip(int(larger.device_address), first=first, port=len(before))
    return PynqPortBuffer(larger, skip=skip)
