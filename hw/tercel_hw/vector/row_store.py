"""The memory of a row between its two passes."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["RowStore"]


class RowStore(wiring.Component):
    """Stores a row, which is read in order afterwards; an element of all lanes a cycle.

    Reads take ``READ_LATENCY`` cycles, an output register included, and never stall.

    Parameters
    ----------
    lanes
        Number of lanes, floats of an element.
    elements
        Elements of the longest row.
    ram_style
        Attribute of the memory: ``block`` or ``ultra``.

    Members
    -------
    write : In(1)
        Write ``i``; not while a row is read.
    i : In(ArrayLayout(32, lanes))
    last : In(1)
        High with a row's last element.
    read : In(1)
        Read the next element; only after the row's last was written.
    ends : Out(1)
        The element that is read in this cycle is the last.
    o : Out(ArrayLayout(32, lanes))
    """

    READ_LATENCY = 2

    write: Signal
    i: data.View
    last: Signal
    read: Signal
    ends: Signal
    o: data.View

    def __init__(self, *, lanes: int, elements: int, ram_style: str = "ultra"):
        self._floats = data.ArrayLayout(FLOAT32_BITS, lanes)
        self._elements = elements
        self._ram_style = ram_style
        super().__init__(
            {
                "write": wiring.In(1),
                "i": wiring.In(self._floats),
                "last": wiring.In(1),
                "read": wiring.In(1),
                "ends": wiring.Out(1),
                "o": wiring.Out(self._floats),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Packed lanes fill no more words of 72 bits than two lanes of 36 bits each would.
        m.submodules.rows = rows = memory.Memory(
            shape=self._floats,
            depth=self._elements,
            init=[],
            attrs={"ram_style": self._ram_style},
        )
        write, read = rows.write_port(), rows.read_port()
        final = Signal(range(self._elements), reset_less=True)
        m.d.comb += [
            write.en.eq(self.write),
            write.data.eq(self.i),
            read.en.eq(1),
            self.ends.eq(read.addr == final),
        ]
        with m.If(self.write):
            m.d.sync += write.addr.eq(Mux(self.last, 0, write.addr + 1))
            with m.If(self.last):
                m.d.sync += final.eq(write.addr)
        with m.If(self.read):
            m.d.sync += read.addr.eq(Mux(self.ends, 0, read.addr + 1))
        found = Signal(self._floats, reset_less=True)
        m.d.sync += found.eq(read.data)
        m.d.comb += self.o.eq(found)
        return m
