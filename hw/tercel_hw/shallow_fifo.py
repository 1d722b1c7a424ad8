"""A FIFO in lookup tables, whose ready and valid leave registers."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.checks import check_integer
from tercel_hw.wrap_increment import wrap_increment

__all__ = ["ShallowFifo"]


class ShallowFifo(wiring.Component):
    """Queue of a few values; a wide payload costs no enables, as it stays in its memory.

    No path leads through it. Throughput: one value in and one out a cycle. Latency: ``LATENCY``.

    Parameters
    ----------
    shape
        Shape of a value.
    depth
        Most values; at least 2 for one a cycle.

    Members
    -------
    i : In(stream.Signature(shape))
        Ready while there is room; a register.
    o : Out(stream.Signature(shape))
        ``valid`` is a register, the payload is read from lookup tables.
    level : Out(range(depth + 1))
        Number of values.

    Raises
    ------
    ValueError
        If the depth is below 1.
    """

    LATENCY = 1

    i: stream.Interface
    o: stream.Interface
    level: Signal

    def __init__(self, shape: Any, *, depth: int):
        check_integer("depth", depth, 1, 256)
        self._width, self._depth = Shape.cast(shape).width, depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth, level = self._depth, self.level
        m.submodules.storage = storage = memory.Memory(
            shape=unsigned(self._width), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = storage.write_port(), storage.read_port(domain="comb")
        some, room = Signal(), Signal(init=1)
        enters, leaves = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(room),
            self.o.valid.eq(some),
            self.o.payload.eq(read.data),
            enters.eq(self.i.valid & room),
            leaves.eq(some & self.o.ready),
            write.data.eq(self.i.payload),
            write.en.eq(enters),
        ]
        # Compared and counted before it is known whether a value enters or leaves.
        more, less = level + 1, level - 1
        m.d.sync += [
            some.eq(enters | Mux(leaves, level > 1, some)),
            room.eq(leaves | Mux(enters, level < depth - 1, room)),
        ]
        with m.If(enters != leaves):
            m.d.sync += level.eq(Mux(enters, more, less))
        with m.If(enters):
            m.d.sync += write.addr.eq(wrap_increment(write.addr, depth))
        with m.If(leaves):
            m.d.sync += read.addr.eq(wrap_increment(read.addr, depth))
        return m
