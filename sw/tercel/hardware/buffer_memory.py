"""The accelerator's memory in buffers of which the host may hold copies in its cache."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tercel.hardware.port_buffer import LINE_BYTES, PortBuffer
from tercel.program import StripedMemory
from tercel.program.memory import Bytes

__all__ = ["BufferMemory"]

GAP_LINES = 64
"""Pieces that are at most so many lines apart are invalidated by one call."""


class BufferMemory(StripedMemory):
    """Striped memory that is invalidated before it is read and flushed after it is written.

    Lines that a write fills in part are invalidated first: another part of them may have been
    written by the accelerator since.

    Parameters
    ----------
    buffers
        One buffer per port.
    port_bytes
        Bytes of a word on one port.
    words
        Size in words; the buffers may be longer.
    """

    def __init__(self, buffers: Sequence[PortBuffer], *, port_bytes: int, words: int):
        self._buffers, self._port_bytes = buffers, port_bytes
        size = words * port_bytes
        super().__init__([buffer.content[:size] for buffer in buffers], port_bytes=port_bytes)

    def read(self, word: int, count: int) -> Bytes:
        self._check(word, count)
        self._invalidate(range(len(self._buffers)), word, count)
        return super().read(word, count)

    def write(self, word: int, content: Bytes) -> None:
        self._check(word, len(content))
        everywhere = range(len(self._buffers))
        self._invalidate_ends(everywhere, word, len(content))
        super().write(word, content)
        self._flush(everywhere, word, len(content))

    def write_port(self, port: int, word: int, content: Bytes) -> None:
        count = content.size // self._port_bytes
        self._check(word, count)
        self._invalidate_ends([port], word, count)
        super().write_port(port, word, content)
        self._flush([port], word, count)

    def read_pieces(self, places: range, size: int) -> Bytes:
        if places:
            self._check_bytes(places[0], places[-1] + size)
            first, end = self._words(np.array([places[0], places[-1]]), size)
            self._invalidate(range(len(self._buffers)), int(first[0]), int(end[1] - first[0]))
        return super().read_pieces(places, size)

    def read_at(self, places: npt.NDArray[np.int64], size: int) -> Bytes:
        if len(places):
            self._check_bytes(int(places.min()), int(places.max()) + size)
        ports = places // self._port_bytes % len(self._buffers)
        for port in range(len(self._buffers)):
            self._invalidate_pieces([port], places[ports == port], size)
        return super().read_at(places, size)

    def copy_pieces(
        self, moves: Sequence[tuple[int, int]], size: int, *, count: int, stride: int
    ) -> None:
        steps = np.arange(count, dtype=np.int64) * stride
        everywhere = range(len(self._buffers))
        touched = np.add.outer(np.array(moves, np.int64).reshape(-1), steps).reshape(-1)
        self._check_bytes(int(touched.min()), int(touched.max()) + size)
        self._invalidate_pieces(everywhere, touched, size)
        super().copy_pieces(moves, size, count=count, stride=stride)
        targets = np.add.outer(np.array(moves, np.int64)[:, 1], steps).reshape(-1)
        for first, end in self._runs(targets, size):
            self._flush(everywhere, first, end - first)

    def _words(
        self, places: npt.NDArray[np.int64], size: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First word of each piece, and the word behind it."""
        word_bytes = len(self._buffers) * self._port_bytes
        return places // word_bytes, (places + size - 1) // word_bytes + 1

    def _runs(self, places: npt.NDArray[np.int64], size: int) -> Iterable[tuple[int, int]]:
        """Words of pieces, first and end; near ones joined."""
        if not len(places):
            return []
        first, end = self._words(np.sort(places), size)
        gap = GAP_LINES * LINE_BYTES // self._port_bytes
        breaks = np.flatnonzero(first[1:] > end[:-1] + gap)
        starts = first[np.r_[0, breaks + 1]]
        return zip(starts.tolist(), end[np.r_[breaks, len(end) - 1]].tolist(), strict=True)

    def _invalidate_pieces(
        self, ports: Iterable[int], places: npt.NDArray[np.int64], size: int
    ) -> None:
        for first, end in self._runs(places, size):
            self._invalidate(ports, first, end - first)

    def _lines(self, port: int, word: int, count: int) -> tuple[int, int]:
        """First byte and size of the lines that hold a port's part of words."""
        first = word * self._port_bytes // LINE_BYTES * LINE_BYTES
        end = -(-(word + count) * self._port_bytes // LINE_BYTES) * LINE_BYTES
        return first, min(end, len(self._buffers[port].content)) - first

    def _invalidate(self, ports: Iterable[int], word: int, count: int) -> None:
        for port in ports if count else ():
            self._buffers[port].invalidate(*self._lines(port, word, count))

    def _flush(self, ports: Iterable[int], word: int, count: int) -> None:
        for port in ports if count else ():
            self._buffers[port].flush(*self._lines(port, word, count))

    def _invalidate_ends(self, ports: Iterable[int], word: int, count: int) -> None:
        """Invalidate the lines that words fill in part."""
        end = word + count
        ends = {place // LINE_BYTES for place in (word * self._port_bytes,) if place % LINE_BYTES}
        last = end * self._port_bytes
        ends |= {last // LINE_BYTES} if last % LINE_BYTES else set()
        for port in ports if count else ():
            for line in sorted(ends):
                self._buffers[port].invalidate(line * LINE_BYTES, LINE_BYTES)
