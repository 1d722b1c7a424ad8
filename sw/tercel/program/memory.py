"""The host's view of the accelerator's memory."""

import abc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image.striping import deinterleave, interleave, split_words

__all__ = ["Memory", "StripedMemory"]

Bytes = npt.NDArray[np.uint8]


class Memory(abc.ABC):
    """Memory that is addressed in words; an implementation stripes them over its ports."""

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

    @property
    def words(self) -> int:
        return len(self._ports[0])

    def read(self, word: int, count: int) -> Bytes:
        self._check(word, count)
        return interleave([port[word : word + count] for port in self._ports])

    def write(self, word: int, content: Bytes) -> None:
        word_bytes = len(self._ports) * self._ports[0].shape[1]
        if content.dtype != np.uint8 or content.shape[1:] != (word_bytes,):
            raise ValueError(
                f"content must be uint8 [count, {word_bytes}], "
                f"not {content.dtype} {list(content.shape)}"
            )
        self._check(word, len(content))
        for port, part in zip(self._ports, deinterleave(content, len(self._ports)), strict=True):
            port[word : word + len(part)] = part

    def write_port(self, port: int, word: int, content: Bytes) -> None:
        part = content.reshape(-1, self._ports[port].shape[1])
        self._check(word, len(part))
        self._ports[port][word : word + len(part)] = part

    def _check(self, word: int, count: int) -> None:
        if word < 0 or count < 0 or word + count > self.words:
            raise TercelError(
                f"the memory has the words 0..{self.words - 1}, not {word}..{word + count - 1}"
            )
