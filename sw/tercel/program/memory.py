"""The host's view of the accelerator's memory."""

import abc
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image.striping import split_words

__all__ = ["Memory", "StripedMemory"]

Bytes = npt.NDArray[np.uint8]


class Memory(abc.ABC):
    """Memory that is addressed in words; an implementation stripes them over its ports.

    Pieces are equally long runs of bytes, each within a word. Their places are numbers of bytes
    from word 0 on; the step of a range is a multiple of the bytes of a word on one port.
    """

    @property
    @abc.abstractmethod
    def words(self) -> int:
        """Number of words."""

    @abc.abstractmethod
    def read(self, word: int, count: int) -> Bytes:
        """Copy ``count`` words from ``word`` on, uint8 ``[count, word bytes]``."""

    @abc.abstractmethod
    def write(self, word: int, content: Bytes) -> None:
        """Write uint8 ``[count, word bytes]`` from ``word`` on."""

    @abc.abstractmethod
    def write_port(self, port: int, word: int, content: Bytes) -> None:
        """Write one port's part, uint8 ``[count * port bytes]``, of the words from ``word`` on."""

    @abc.abstractmethod
    def read_pieces(self, places: range, size: int) -> Bytes:
        """Copy pieces of ``size`` bytes, uint8 ``[pieces, size]``."""

    @abc.abstractmethod
    def read_at(self, places: npt.NDArray[np.int64], size: int) -> Bytes:
        """Copy pieces that do not cross ports, uint8 ``[pieces, size]``, from any places."""

    @abc.abstractmethod
    def copy_pieces(
        self, moves: Sequence[tuple[int, int]], size: int, *, count: int, stride: int
    ) -> None:
        """Copy pieces of ``size`` bytes from the source to the target of each move.

        Every move is made ``count`` times, at places that are ``stride`` bytes, a multiple of a
        word, apart. Pieces do not cross ports, or start with a port's part of a word. A source is
        not the target of an earlier move.
        """


class StripedMemory(Memory):
    """Memory in one array of bytes per port, striped as in :mod:`tercel.image.striping`.

    Parameters
    ----------
    ports
        uint8 ``[bytes]`` of each port, of equal length, not copied.
    port_bytes
        Bytes of a word on one port.
    """

    def __init__(self, ports: Bytes | Sequence[Bytes], *, port_bytes: int):
        self._ports = split_words(ports, port_bytes)
        self._parts_of_words = [_whole(port)[:, 0] for port in self._ports]
        """By port, its part of each word as one element, which is copied at once."""

    @property
    def words(self) -> int:
        return len(self._ports[0])

    def read(self, word: int, count: int) -> Bytes:
        self._check(word, count)
        parts = self._parts_of_words
        content = np.empty((count, len(parts)), parts[0].dtype)
        for port, part in enumerate(parts):
            content[:, port] = part[word : word + count]
        return content.view(np.uint8)

    def write(self, word: int, content: Bytes) -> None:
        word_bytes = len(self._ports) * self._ports[0].shape[1]
        if content.dtype != np.uint8 or content.shape[1:] != (word_bytes,):
            raise ValueError(
                f"content must be uint8 [count, {word_bytes}], "
                f"not {content.dtype} {list(content.shape)}"
            )
        self._check(word, len(content))
        parts = self._parts_of_words
        columns = np.ascontiguousarray(content).view(parts[0].dtype).T
        for part, column in zip(parts, columns, strict=True):
            part[word : word + len(column)] = column

    def write_port(self, port: int, word: int, content: Bytes) -> None:
        part = content.reshape(-1, self._ports[port].shape[1])
        self._check(word, len(part))
        self._ports[port][word : word + len(part)] = part

    def read_pieces(self, places: range, size: int) -> Bytes:
        content = np.empty((len(places), size), np.uint8)
        for pieces, part, held in self._parts(places, size):
            _whole(content[pieces, part])[:] = _whole(held)
        return content

    def read_at(self, places: npt.NDArray[np.int64], size: int) -> Bytes:
        port_bytes = self._ports[0].shape[1]
        if len(places):
            self._check_bytes(int(places.min()), int(places.max()) + size)
        words, within = np.divmod(places, len(self._ports) * port_bytes)
        ports, first = np.divmod(within, port_bytes)
        content = np.empty((len(places), size), np.uint8)
        for port, held in enumerate(self._ports):
            chosen = np.flatnonzero(ports == port)
            where = words[chosen] * port_bytes + first[chosen]
            content[chosen] = held.reshape(-1)[where[:, None] + np.arange(size)]
        return content

    def copy_pieces(
        self, moves: Sequence[tuple[int, int]], size: int, *, count: int, stride: int
    ) -> None:
        port_bytes = self._ports[0].shape[1]
        word_bytes = len(self._ports) * port_bytes
        if stride % word_bytes:
            raise ValueError(f"stride must be a multiple of {word_bytes}, not {stride}")
        last = (count - 1) * stride
        self._check_bytes(min(map(min, moves)), max(map(max, moves)) + last + size)
        # All moves of one port's part at once, so that near pieces are found in the cache.
        for first in range(0, size, port_bytes):
            width = min(port_bytes, size - first)
            whole = np.dtype((np.void, width))

            def part(place: int, first=first, width=width, whole=whole) -> npt.NDArray[np.void]:
                word, byte = divmod(place + first, word_bytes)
                port, byte = divmod(byte, port_bytes)
                words = slice(word, word + last // word_bytes + 1, stride // word_bytes)
                return self._ports[port][words, byte : byte + width].view(whole)

            for source, target in moves:
                part(target)[:] = part(source)

    def _parts(self, places: range, size: int) -> Iterator[tuple[slice, slice, Bytes]]:
        """Views of the parts of pieces that lie at the same place of a port's word.

        Yields the pieces, the bytes of a piece, and the view ``[pieces, bytes]``.
        """
        if not places:
            return
        self._check_bytes(places[0], places[-1] + size)
        ports, port_bytes = len(self._ports), self._ports[0].shape[1]
        word_bytes = ports * port_bytes
        period = ports // math.gcd(places.step // port_bytes, ports)
        step = places.step * period // word_bytes
        for first in range(min(period, len(places))):
            count, done = len(range(first, len(places), period)), 0
            while done < size:
                word, byte = divmod(places[first] + done, word_bytes)
                port, byte = divmod(byte, port_bytes)
                width = min(size - done, port_bytes - byte)
                held = self._ports[port][word : word + (count - 1) * step + 1 : step]
                yield (
                    slice(first, None, period),
                    slice(done, done + width),
                    held[:, byte : byte + width],
                )
                done += width

    def _check_bytes(self, first: int, end: int) -> None:
        word_bytes = len(self._ports) * self._ports[0].shape[1]
        word = first // word_bytes
        self._check(word, -(-end // word_bytes) - word)

    def _check(self, word: int, count: int) -> None:
        if word < 0 or count < 0 or word + count > self.words:
            raise TercelError(
                f"the memory has the words 0..{self.words - 1}, not {word}..{word + count - 1}"
            )


def _whole(pieces: Bytes) -> npt.NDArray[np.void]:
    """View pieces ``[n, size]`` as ``[n, 1]`` of one element each, which are copied at once."""
    return pieces.view(np.dtype((np.void, pieces.shape[1])))
