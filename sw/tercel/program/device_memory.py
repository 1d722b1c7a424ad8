"""The contents of the accelerator's memory: tape, program, rows, cache, results."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.image import Image
from tercel.numerics import CacheView
from tercel.numerics.float32 import Float32
from tercel.program.field import Program
from tercel.program.memory import Memory
from tercel.program.memory_map import Area, MemoryMap

__all__ = ["DeviceMemory"]

LANE_BYTES = 4
"""Bytes of a lane in a line."""
SCALES_BYTES = 4
"""Bytes of the two scales of a position, of its key and of its value."""


@dataclass(frozen=True, kw_only=True)
class _Region:
    """Consecutive positions of a slice or of the scales, in the block of each KV head."""

    words: list[int]
    """First word for each KV head."""
    size: int
    """Bytes of a position."""


class DeviceMemory:
    """Access of the host to the areas of the accelerator's memory.

    Parameters
    ----------
    memory
        The memory as words.
    memory_map
        The areas.

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
        """Write the tape; each port's part is copied from the image unchanged."""
        for port, content in enumerate(image.tape):
            self._memory.write_port(port, self._map.tape.first_word, content)

    def write_program(self, program: Program) -> None:
        """Write a program's commands."""
        words = program.reshape(-1, self._map.layout.word_bytes)
        self._memory.write(self._map.program.first_word, words)

    def write_rows(self, rows: Float32) -> None:
        """Write initial residual streams, ``[rows, hidden_size]``."""
        padded = np.zeros((len(rows), self._map.layout.padded(4 * rows.shape[1])), np.uint8)
        padded[:, : 4 * rows.shape[1]] = rows.astype("<f4").view(np.uint8)
        self._write(self._map.rows.first_word, padded.reshape(-1))

    def read_lines(self, area: Area, count: int) -> npt.NDArray[np.uint32]:
        """Read the first ``count`` lines of an area, ``[count, line bytes / 4]``."""
        content = self._read(area.first_word, count * self._map.line_bytes)
        return content.reshape(count, -1).view("<u4").astype(np.uint32, copy=False)

    def read_lane(
        self, area: Area, lane: int, lines: int | npt.NDArray[np.integer]
    ) -> npt.NDArray[np.uint32]:
        """Read a lane of the first ``lines`` lines of an area, or of those with these indices.

        Returns
        -------
        uint32 ``[lines]``; no other lane is read.
        """
        first = area.first_word * self._map.layout.word_bytes + LANE_BYTES * lane
        step = self._map.line_bytes
        if isinstance(lines, int):
            places = range(first, first + lines * step, step)
            content = self._memory.read_pieces(places, LANE_BYTES)
        else:
            content = self._memory.read_at(first + lines.astype(np.int64) * step, LANE_BYTES)
        return content.view("<u4").reshape(-1).astype(np.uint32, copy=False)

    def read_cache(self, layer: int, positions: int) -> CacheView:
        """Read the first positions of a layer's keys, values and scales."""
        keys, values = self._rows(layer)
        pairs = self._take(self._scales(layer), positions).view("<u2").astype(np.uint16, copy=False)
        size = self._map.config.head_size
        return CacheView(
            keys=self._join(keys, positions)[..., :size],
            values=self._join(values, positions)[..., :size],
            key_scales=pairs[..., 0],
            value_scales=pairs[..., 1],
        )

    def write_cache(self, layer: int, rows: CacheView) -> None:
        """Write the first positions of a layer's keys, values and scales."""
        for regions, content in zip(self._rows(layer), (rows.keys, rows.values), strict=True):
            size = sum(region.size for region in regions)
            heads, positions, elements = content.shape
            padded = np.zeros((heads, positions, size), np.int8)
            padded[..., :elements] = content
            ends = np.cumsum([region.size for region in regions])
            parts = np.split(padded.view(np.uint8), ends[:-1], axis=-1)
            for region, part in zip(regions, parts, strict=True):
                self._put(region, part)
        pairs = np.stack([rows.key_scales, rows.value_scales], axis=-1).astype("<u2")
        self._put(self._scales(layer), np.ascontiguousarray(pairs).view(np.uint8))

    def move(self, base: int, path: Sequence[int]) -> None:
        """Move the cached rows ``base + path[i]`` of all layers and KV heads to ``base + i``.

        The path ascends, so a row is read before another one is written there. Rows in place are
        neither read nor written.
        """
        moves = [(base + node, base + at) for at, node in enumerate(path) if node != at]
        config, word_bytes = self._map.config, self._map.layout.word_bytes
        keys, values = self._rows(0)
        for region in (*keys, *values, self._scales(0)):
            first, size = region.words[0] * word_bytes, region.size
            self._memory.copy_pieces(
                [(first + size * source, first + size * target) for source, target in moves],
                size,
                count=config.layers * config.kv_heads,
                stride=self._map.head_stride * word_bytes,
            )

    def _rows(self, layer: int) -> list[list["_Region"]]:
        """Regions of the slices of a layer's keys, and of its values."""
        where = self._map
        starts, sizes = where.slices.starts(where.context), where.slices.sizes()
        return [
            [
                _Region(words=[block + first + start for block in self._blocks(layer)], size=size)
                for start, size in zip(starts, sizes, strict=True)
            ]
            for first in (0, where.cache_row_words)
        ]

    def _scales(self, layer: int) -> "_Region":
        """Region of a layer's pairs of scales."""
        first = 2 * self._map.cache_row_words
        return _Region(words=[block + first for block in self._blocks(layer)], size=SCALES_BYTES)

    def _blocks(self, layer: int) -> list[int]:
        return [self._map.block(layer, head) for head in range(self._map.config.kv_heads)]

    def _join(self, regions: Sequence["_Region"], positions: int) -> npt.NDArray[np.int8]:
        """Read regions and join them to ``[KV heads, positions, bytes]``."""
        parts = [self._take(region, positions) for region in regions]
        return np.concatenate(parts, axis=-1).view(np.int8)

    def _take(self, region: "_Region", positions: int) -> npt.NDArray[np.uint8]:
        """Read a region, ``[KV heads, positions, region.size]``."""
        size = region.size
        heads = [self._read(word, positions * size).reshape(-1, size) for word in region.words]
        return np.stack(heads)

    def _put(self, region: "_Region", content: npt.NDArray[np.uint8]) -> None:
        """Write a region, ``[KV heads, positions, region.size]``."""
        for word, head in zip(region.words, content, strict=True):
            self._write(word, np.ascontiguousarray(head).reshape(-1))

    def _read(self, word: int, size: int) -> npt.NDArray[np.uint8]:
        """Read ``size`` bytes from a word on."""
        content = self._memory.read(word, self._map.layout.words(size))
        return np.ascontiguousarray(content).reshape(-1)[:size]

    def _write(self, word: int, content: npt.NDArray[np.uint8]) -> None:
        """Write bytes from a word on, padded with zeros to a whole word."""
        padded = np.zeros(self._map.layout.padded(len(content)), np.uint8)
        padded[: len(content)] = content
        self._memory.write(word, padded.reshape(-1, self._map.layout.word_bytes))
