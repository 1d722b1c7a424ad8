"""One stream of commands to several consumers."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["QUEUE", "CommandFork"]

QUEUE = 4
"""Commands that wait for a unit."""


class CommandFork(wiring.Component):
    """Gives each of ``consumers`` a copy of every command, in order, through a queue of its own.

    A command is taken when every queue has room; it is offered in the next cycle.

    Parameters
    ----------
    layout
        Of the command.
    consumers
        How many.

    Members
    -------
    i : In(stream.Signature(layout))
    o : array of Out(stream.Signature(layout))
    empty : Out(1)
        No command waits in any queue.
    """

    i: stream.Interface
    o: list[stream.Interface]
    empty: Signal

    def __init__(self, *, layout: data.StructLayout, consumers: int = 1):
        self._layout = layout
        self._consumers = consumers
        signature = stream.Signature(layout)
        super().__init__(
            {"i": In(signature), "o": Out(signature).array(consumers), "empty": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready, waits = Signal(self._consumers), Signal(self._consumers)
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(ready.all()),
            taken.eq(self.i.valid & self.i.ready),
            self.empty.eq(~waits.any()),
        ]
        for index, output in enumerate(self.o):
            queue = fifo.SyncFIFO(width=self._layout.size, depth=QUEUE)
            m.submodules[f"queue{index}"] = queue
            m.d.comb += [
                ready[index].eq(queue.w_rdy),
                waits[index].eq(queue.r_rdy),
                queue.w_en.eq(taken),
                queue.w_data.eq(self.i.payload),
                output.valid.eq(queue.r_rdy),
                output.payload.eq(queue.r_data),
                queue.r_en.eq(output.ready),
            ]
        return m
