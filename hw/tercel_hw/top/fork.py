"""The fork of a stream of commands to several consumers."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["QUEUE", "CommandFork"]

QUEUE = 4
"""Commands that can wait for a consumer."""


class CommandFork(wiring.Component):
    """Delivers a copy of every command to each consumer, in order, through a queue each.

    A command is taken when every queue has room; it is offered in the next cycle.

    Parameters
    ----------
    layout
        Layout of the command.
    consumers
        Names of the consumers.

    Members
    -------
    i : In(stream.Signature(layout))
    o_{consumer} : Out(stream.Signature(layout))
        One for each consumer; :meth:`to` returns it by name.
    empty : Out(1)
        No command waits in any queue.
    """

    i: stream.Interface
    empty: Signal

    def __init__(self, *, layout: data.StructLayout, consumers: Sequence[str]):
        self._layout = layout
        self._consumers = consumers
        signature = stream.Signature(layout)
        outputs = {f"o_{name}": Out(signature) for name in consumers}
        super().__init__({"i": In(signature), "empty": Out(1), **outputs})

    def to(self, consumer: str) -> stream.Interface:
        """Return the stream of a consumer."""
        return getattr(self, f"o_{consumer}")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready, waits = Signal(len(self._consumers)), Signal(len(self._consumers))
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(ready.all()),
            taken.eq(self.i.valid & self.i.ready),
            self.empty.eq(~waits.any()),
        ]
        for index, name in enumerate(self._consumers):
            m.submodules[f"queue_{name}"] = queue = ShallowFifo(self._layout, depth=QUEUE)
            connect(m, queue.o, flipped(self.to(name)))
            m.d.comb += [
                ready[index].eq(queue.i.ready),
                waits[index].eq(queue.o.valid),
                queue.i.valid.eq(taken),
                queue.i.payload.eq(self.i.payload),
            ]
        return m
