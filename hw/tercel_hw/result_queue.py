"""The output queue of a pipeline that cannot stall."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.credits import Credits
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["FLOWS", "ResultQueue"]

FLOWS = Const(1, 1)
"""Enable of a pipeline that never stalls."""


class ResultQueue(wiring.Component):
    """Delivers the results of a pipeline without stalls as a stream; at most one a cycle.

    Operands are counted from their entry into the pipeline until their result leaves the queue;
    they may enter only while there is ``room``, a register. So ``o.ready`` reaches a counter, but
    no register of the pipeline. For one result a cycle the depth must be at least the pipeline's
    latency plus 2.

    Parameters
    ----------
    shape
        Shape of a result.
    depth
        Most results in the pipeline and in the queue, at least 1. The queue is in lookup tables.

    Members
    -------
    room : Out(1)
    enters : In(1)
        Operands enter the pipeline; only while there is room.
    arrives : In(1)
    result : In(shape)
        Valid with ``arrives``; offered from the next cycle on.
    o : Out(stream.Signature(shape))
    """

    LATENCY = 1

    room: Signal
    enters: Signal
    arrives: Signal
    result: data.View
    o: stream.Interface

    def __init__(self, shape: data.Layout, *, depth: int):
        self._shape = shape
        self._depth = depth
        super().__init__(
            {
                "room": wiring.Out(1),
                "enters": wiring.In(1),
                "arrives": wiring.In(1),
                "result": wiring.In(shape),
                "o": wiring.Out(stream.Signature(shape)),
            }
        )

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = ShallowFifo(self._shape, depth=self._depth)
        m.submodules.credits = credits = Credits(count=self._depth)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            self.room.eq(credits.any),
            credits.spend.eq(self.enters),
            credits.give.eq(self.o.valid & self.o.ready),
            queue.i.valid.eq(self.arrives),
            queue.i.payload.eq(self.result),
        ]
        return m
