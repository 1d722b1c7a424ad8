"""The bytes of a tape while it is built, in memory or, once complete, on a disk."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image.layout import TapeLayout
from tercel.image.segment import Segment
from tercel.image.striping import deinterleave

__all__ = ["TapeContent"]

Bytes = npt.NDArray[np.uint8]


class TapeContent:
    """The segments of a tape, each zero at first.

    Parameters
    ----------
    segments, layout
    scratch
        A seekable file for reading and writing to which segments move when they are complete;
        without it they stay in memory.
    """

    def __init__(
        self, segments: Sequence[Segment], layout: TapeLayout, scratch: BinaryIO | None = None
    ):
        self._layout = layout
        self._scratch = scratch
        self._sizes = {each.name: each.words * layout.word_bytes for each in segments}
        self._open: dict[str, Bytes] = {}
        self._offsets: dict[str, int] = {}
        self._end = 0

    def __getitem__(self, name: str) -> Bytes:
        """The bytes of a segment that is not complete, in word order, to be changed in place."""
        if name not in self._open:
            self._open[name] = np.zeros(self._sizes[name], np.uint8)
        return self._open[name]

    def complete(self, name: str) -> None:
        """Take a segment's last change, after which it is only read.

        Raises
        ------
        TercelError
            If the scratch file cannot be written.
        """
        if self._scratch is None:
            return
        ports = self._ports(self._open.pop(name))
        self._offsets[name] = self._end
        try:
            self._scratch.seek(self._end)
            for port in ports:
                self._scratch.write(np.ascontiguousarray(port).data)
            self._scratch.flush()
        except OSError as error:
            raise TercelError(
                f"the tape cannot be kept on the disk of the output: {error.strerror or error}; "
                "free some space (twice the image's size), or write to another disk"
            ) from None
        self._end += self._sizes[name]

    def read(self, name: str, port: int) -> Bytes:
        """The bytes of a segment in one port, contiguous."""
        if name not in self._offsets:
            return np.ascontiguousarray(self._ports(self[name])[port]).reshape(-1)
        assert self._scratch is not None
        size = self._sizes[name] // self._layout.ports
        self._scratch.seek(self._offsets[name] + port * size)
        return np.frombuffer(self._scratch.read(size), np.uint8)

    def _ports(self, content: Bytes) -> list[Bytes]:
        return deinterleave(content.reshape(-1, self._layout.word_bytes), self._layout.ports)
