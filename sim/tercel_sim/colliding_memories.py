"""Memories whose reads give garbage where a write of the same cycle meets them."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, MemoryData, MemoryInstance, Module, Signal, Value
from amaranth.lib import memory

__all__ = ["CollidingMemories"]


class CollidingMemories:
    """A platform for simulation, on which no memory can be read and written at one address at once.

    What a block RAM or an UltraRAM reads at an address that its other port writes in the same cycle
    depends on the device and its mode. Here the written bits of such a read are the inverse of the
    old ones, so a design that uses them gives wrong results. Reads within the cycle (lookup tables)
    and reads that are transparent for the write have no such case.
    """

    def get_memory(self, described: memory.Memory) -> Module:
        """Return the memory that Amaranth elaborates in place of its own."""
        m = Module()
        instance: Any = MemoryInstance  # The stubs describe another class.
        m.submodules.cells = cells = instance(data=self._contents(described))
        writes = {
            port: cells.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
            for port in described.write_ports
        }
        for port in described.read_ports:
            found = Signal(len(Value.cast(port.data)))
            transparent = tuple(writes[write] for write in port.transparent_for)
            cells.read_port(
                domain=port.domain,
                data=found,
                addr=port.addr,
                en=port.en,
                transparent_for=transparent,
            )
            if port.domain == "comb":
                m.d.comb += Value.cast(port.data).eq(found)
                continue
            wrong = Signal.like(found)
            met = [
                written_bits(write) & (write.addr == port.addr).replicate(len(found))
                for write in described.write_ports
                if write not in port.transparent_for
            ]
            with m.If(port.en):
                m.d[port.domain] += wrong.eq(reduce(or_, met, 0))
            m.d.comb += Value.cast(port.data).eq(found ^ wrong)
        return m

    def _contents(self, described: memory.Memory) -> MemoryData:
        """Return the shape, depth and initial contents of a memory."""
        return described.data


def written_bits(port: memory.WritePort) -> Value:
    """Return a mask of the bits that a port writes in this cycle."""
    size = len(Value.cast(port.data)) // max(1, len(port.en))
    return Cat(enable.replicate(size) for enable in port.en)
