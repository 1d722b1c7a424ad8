"""A port's memory as a buffer of pynq."""

from typing import Any

import numpy as np

from tercel.hardware.port_buffer import PortBuffer

__all__ = ["PynqPortBuffer"]


class PynqPortBuffer(PortBuffer):
    """Buffer of ``pynq.allocate``, which the host caches.

    pynq 3.1 and later synchronise the whole buffer whatever part is meant, which takes a second
    for a model of a gigabyte; there the part is given to the buffer object of XRT.

    Parameters
    ----------
    buffer
        A ``PynqBuffer`` of uint8.
    """

    def __init__(self, buffer: Any):
        self._buffer = buffer
        self.content = np.asarray(buffer)
        self.address = int(buffer.device_address)

    def flush(self, first: int, size: int) -> None:
        self._synchronise(first, size, to_device=True)

    def invalidate(self, first: int, size: int) -> None:
        self._synchronise(first, size, to_device=False)

    def close(self) -> None:
        del self.content
        self._buffer.freebuffer()

    def _synchronise(self, first: int, size: int, *, to_device: bool) -> None:
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
