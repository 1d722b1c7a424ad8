"""A reset that keeps the AXI protocol of the memory ports."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Resets the units at once, and the memory ports when all of their requests are answered.

    A port must neither forget nor withdraw a request. So while the memory does not answer one, the
    reset lasts. Both resets leave registers: many flip-flops have them.

    Members
    -------
    reset : In(1)
        A pulse: begin.
    quiet : In(1)
        No request is outstanding on any port. Stays high while the units are held in reset.
    flush : Out(1)
        Hold the units in reset, drop words that are read, complete writes without strobes.
    restart : Out(1)
        Reset the ports: the last cycle of ``flush``.
    """

    reset: Signal
    quiet: Signal
    flush: Signal
    restart: Signal

    def __init__(self):
        super().__init__({"reset": In(1), "quiet": In(1), "flush": Out(1), "restart": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        settled = Signal()
        m.d.sync += settled.eq(self.flush)
        m.d.sync += self.restart.eq(self.flush & settled & self.quiet & ~self.restart)
        with m.If(self.flush):
            m.d.sync += self.flush.eq(~self.restart)
        with m.Elif(self.reset):
            m.d.sync += self.flush.eq(1)
        return m
