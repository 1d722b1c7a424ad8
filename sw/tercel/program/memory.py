"""The accelerator's memory as the host sees it."""

import abc

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = ["Memory", "StripedMemory"]

Bytes = npt.NDArray[np.uint8]


class Memory(abc.ABC):
    """Bytes in words, which an implementation spreads over its ports."""

    @property
    @abc.abstractmethod
    def words(self) -> int:
        """Number of words."""

    @abc.abstractmethod
    def read(self, word: int, count: int) -> Bytes:
        """A copy of ``count`` words from ``word`` on, uint8 ``[count, word bytes]``."""

    @abc.abstractmethod
    def write(self, word: int, content: Bytes) -> None:
        """Write uint8 ``[count, word bytes]`` from ``word`` on."""


class StripedMemory(Memory):
    """Words over the plain bytes of ports.

    Port p holds bytes ``[p * port_bytes, (p + 1) * port_bytes)`` of every word.

    Parameters
    ----------
    ports
        uint8 ``[ports, bytes per port]``, not copied.
    port_bytes
        Bytes of a word on one port.
    """

    def __init__(self, ports: Bytes, *, port_bytes: int):
        self._ports = ports.reshape(len(ports), -1, port_bytes)

    @property
    def words(self) -> int:
        return self._ports.shape[1]

    def read(self, word: int, count: int) -> Bytes:
        self._check(word, count)
        run = self._ports[:, word : word + count]
        ports, _, port_bytes = run.shape
        return run.transpose(1, 0, 2).reshape(count, ports * port_bytes).copy()

    def write(self, word: int, content: Bytes) -> None:
        self._check(word, len(content))
        ports, _, port_bytes = self._ports.shape
        run = content.reshape(-1, ports, port_bytes)
        self._ports[:, word : word + len(run)] = run.transpose(1, 0, 2)

    def _check(self, word: int, count: int) -> None:
        if word < 0 or count < 0 or word + count > self.words:
            raise TercelError(
                f"the memory has the words 0..{self.words - 1}, not {word}..{word + count - 1}"
            )
