"""The output queue of a pipeline that cannot stall."""

from amaranth.hdl import Const, Module, Shape, Signal
from amaranth.lib import data, fifo, stream, wiring

__all__ = ["FLOWS", "ResultQueue"]

FLOWS = Const(1, 1)
"""Enable of a pipeline that never stalls."""


class ResultQueue(wiring.Component):
    """Delivers the results of a pipeline without stalls as a stream; at most one a cycle.

    Operands are counted from their entry into the pipeline until their result leaves the queue;
    they may enter only while there is ``room``. So ``o.ready`` reaches a counter, but no register
    of the pipeline. For one result a cycle the depth must be at least the pipeline's latency plus
    2.

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
        width = Shape.cast(self._shape).width
        m.submodules.queue = queue = fifo.SyncFIFO(width=width, depth=self._depth)
        inside = Signal(range(self._depth + 1))
        leaves = self.o.valid & self.o.ready
        m.d.comb += [
            self.room.eq(inside != self._depth),
            queue.w_en.eq(self.arrives),
            queue.w_data.eq(self.result),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        m.d.sync += inside.eq(inside + self.enters - leaves)
        return m
