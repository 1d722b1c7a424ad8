"""The accelerator's memory by what lies in it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics.float32 import Float32
from tercel.program.memory import Memory
from tercel.program.memory_map import Area, MemoryMap

__all__ = ["Arena"]

CHUNK_WORDS = 1 << 18
"""Words of the tape that are copied at a time."""


class Arena:
    """What the host writes for a pass, reads after it, and moves between passes.

    Parameters
    ----------
    memory
    memory_map
        Where things lie.

    Raises
    ------
    TercelError
        If the memory is too small.
    """

    def __init__(self, memory: Memory, memory_map: MemoryMap):
        if memory.words < memory_map.words:
            word_bytes = memory_map.layout.word_bytes
            raise TercelError(
                f"the model needs {memory_map.words * word_bytes} bytes of the accelerator's "
                f"memory, but it has {memory.words * word_bytes}; open it with a shorter context"
            )
        self._memory = memory
        self._map = memory_map

    def load(self, image: Image) -> None:
        """Write the tape."""
        ports, width = self._map.layout.ports, self._map.layout.port_bytes
        tape = image.tape.reshape(ports, -1, width)
        for first in range(0, tape.shape[1], CHUNK_WORDS):
            words = np.asarray(tape[:, first : first + CHUNK_WORDS]).transpose(1, 0, 2)
            content = np.ascontiguousarray(words).reshape(len(words), -1)
            self._memory.write(self._map.tape.first_word + first, content)

    def write_program(self, commands: Sequence[bytes]) -> None:
        """Write a program's commands."""
        self._write(self._map.program, np.frombuffer(b"".join(commands), np.uint8))

    def write_rows(self, rows: Float32) -> None:
        """Write the residual streams ``[N, hidden_size]`` that nodes start from."""
        padded = np.zeros((len(rows), self._map.layout.padded(4 * rows.shape[1])), np.uint8)
        padded[:, : 4 * rows.shape[1]] = rows.astype("<f4").view(np.uint8)
        self._write(self._map.rows, padded.reshape(-1))

    def read_lines(self, area: Area, count: int) -> npt.NDArray[np.uint32]:
        """The first ``count`` result lines of an area, ``[count, line bytes / 4]``."""
        size = count * self._map.line_bytes
        content = self._memory.read(area.first_word, self._map.layout.words(size))
        lines = np.ascontiguousarray(content).reshape(-1)[:size].reshape(count, -1)
        return lines.view("<u4").astype(np.uint32, copy=False)

    def move(self, base: int, path: Sequence[int]) -> None:
        """Move the cached rows ``base + path[i]`` of all layers and KV heads to ``base + i``."""
        config, words = self._map.config, self._map.cache_row_words
        for layer in range(config.layers):
            for head in range(config.kv_heads):
                block = self._map.block(layer, head)
                self._move(block, config.head_size, base, path)
                self._move(block + words, config.head_size, base, path)
                self._move(block + 2 * words, 4, base, path)

    def _move(self, word: int, row_bytes: int, base: int, path: Sequence[int]) -> None:
        first, rest = divmod(base * row_bytes, self._map.layout.word_bytes)
        count = max(path) + 1
        words = self._map.layout.words(rest + count * row_bytes)
        content = np.ascontiguousarray(self._memory.read(word + first, words))
        rows = content.reshape(-1)[rest : rest + count * row_bytes].reshape(count, row_bytes)
        rows[: len(path)] = rows[list(path)]
        self._memory.write(word + first, content)

    def _write(self, area: Area, content: npt.NDArray[np.uint8]) -> None:
        padded = np.zeros(self._map.layout.padded(len(content)), np.uint8)
        padded[: len(content)] = content
        content = padded.reshape(-1, self._map.layout.word_bytes)
        self._memory.write(area.first_word, content)
