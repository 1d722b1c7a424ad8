"""Memories that begin with random contents, for the co-simulation of what the generators emit."""

import random
from typing import Any

from amaranth.hdl import Const, MemoryData, Shape, ShapeCastable
from amaranth.lib import memory

from tercel_hw.zeroed_memory import ZeroedMemory
from tercel_sim.colliding_memories import CollidingMemories

__all__ = ["UnsettledMemories"]


class UnsettledMemories(CollidingMemories):
    """A platform for simulation, on which no word of a memory has a value before it is written.

    Amaranth initialises memories with zeros, which UltraRAM does not know and no memory has after a
    reset. Here memories that are written start with random bits, unless they have contents of their
    own or are a :class:`tercel_hw.zeroed_memory.ZeroedMemory`; and a read that meets a write gives
    garbage, as in :class:`CollidingMemories`.

    Parameters
    ----------
    seed
        Seed of the contents.
    """

    def __init__(self, *, seed: int):
        self._draw = random.Random(seed)

    def _contents(self, described: memory.Memory) -> MemoryData:
        old = described.data
        shape: Any = old.shape
        width = Shape.cast(shape).width
        given = any(_bits(shape, word) for word in old.init)
        if given or not described.write_ports or isinstance(described, ZeroedMemory):
            return old
        words = [self._draw.getrandbits(width) for _ in range(old.depth)]
        return MemoryData(shape=width, depth=old.depth, init=words)


def _bits(shape: Any, word: Any) -> int:
    """Return the bits of a word of a memory of this shape."""
    if isinstance(shape, ShapeCastable):
        return Const.cast(shape.const(word)).value
    return int(word)
