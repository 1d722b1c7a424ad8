"""A part of a memory as a memory of its own."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.program.memory import Bytes, Memory

__all__ = ["MemoryRegion"]


class MemoryRegion(Memory):
    """A run of words of a memory, whose other words cannot be reached through it.

    Parameters
    ----------
    memory
        The whole memory.
    layout
        Its layout of words.
    first_word
        First word of the region in ``memory``.
    words
        Size of the region in words.
    """

    def __init__(self, memory: Memory, layout: TapeLayout, *, first_word: int, words: int):
        self._memory = memory
        self._layout = layout
        self._first_word = first_word
        self._first_byte = first_word * layout.word_bytes
        self._words = words

    @property
    def words(self) -> int:
        return self._words

    def read(self, word: int, count: int) -> Bytes:
        return self._memory.read(self._place(word, count), count)

    def write(self, word: int, content: Bytes) -> None:
        self._memory.write(self._place(word, len(content)), content)

    def write_port(self, port: int, word: int, content: Bytes) -> None:
        place = self._place(word, len(content) // self._layout.port_bytes)
        self._memory.write_port(port, place, content)

    def read_pieces(self, places: range, size: int) -> Bytes:
        if places:
            self._check_bytes(places[0], places[-1] + size)
        first, stop = places.start + self._first_byte, places.stop + self._first_byte
        return self._memory.read_pieces(range(first, stop, places.step), size)

    def read_at(self, places: npt.NDArray[np.int64], size: int) -> Bytes:
        if len(places):
            self._check_bytes(int(places.min()), int(places.max()) + size)
        return self._memory.read_at(places + self._first_byte, size)

    def copy_pieces(
        self, moves: Sequence[tuple[int, int]], size: int, *, count: int, stride: int
    ) -> None:
        end = max(map(max, moves)) + (count - 1) * stride + size
        self._check_bytes(min(map(min, moves)), end)
        first = self._first_byte
        there = [(source + first, target + first) for source, target in moves]
        self._memory.copy_pieces(there, size, count=count, stride=stride)

    def _check_bytes(self, first: int, end: int) -> None:
        word = first // self._layout.word_bytes
        self._place(word, self._layout.words(end) - word)

    def _place(self, word: int, count: int) -> int:
        """The word in the whole memory, checked, since the words after a region are another's."""
        if not 0 <= word <= word + count <= self._words:
            raise TercelError(
                f"the region has the words 0..{self._words - 1}, not {word}..{word + count - 1}"
            )
        return self._first_word + word
