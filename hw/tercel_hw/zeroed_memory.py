"""Memories of which some words keep the zero that the configuration of the device gives them."""

from amaranth.lib import memory

__all__ = ["ZeroedMemory"]


class ZeroedMemory(memory.Memory):
    """A memory of lookup tables or block RAM, words of which are read though nothing writes them.

    Such words are zero from the configuration of the device on, also after a reset. No other memory
    of the accelerator is read where it was not written, which the co-simulation checks with random
    initial contents. UltraRAM has no initial contents, so it cannot be one of these.

    Parameters
    ----------
    shape, depth, attrs
        As those of :class:`amaranth.lib.memory.Memory`.
    """

    def __init__(self, *, shape: object, depth: int, attrs: dict[str, str]):
        super().__init__(shape=shape, depth=depth, init=[], attrs=attrs)
