"""A register slice: no path through a stream, in either direction."""

from typing import Any

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RegisterSlice"]


class RegisterSlice(wiring.Component):
    """Two registers that pass a stream on; `valid`, `payload` and `ready` all leave a register.

    Throughput: one value a cycle. Latency: ``LATENCY``. The payload has no reset.

    Parameters
    ----------
    shape
        Shape of the payload.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """

    LATENCY = 1

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Any):
        self._width = Shape.cast(shape).width
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, second = (Signal(self._width, reset_less=True) for _ in range(2))
        waiting = Signal()
        m.d.comb += [self.i.ready.eq(~waiting), self.o.payload.eq(first)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | waiting),
                first.eq(self.i.payload),
                waiting.eq(0),
            ]
            with m.If(waiting):
                m.d.sync += first.eq(second)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += waiting.eq(1)
        with m.If(self.i.ready):
            m.d.sync += second.eq(self.i.payload)
        return m
