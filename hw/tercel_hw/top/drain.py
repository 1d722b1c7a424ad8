"""A reset that leaves the memory in peace."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Resets the units at once, the memory ports when all that they have asked for has come.

    A port must not forget what it has asked for. But one that never answers must not hold up the
    reset for ever: after ``limit`` cycles the ports are reset anyhow.

    Parameters
    ----------
    limit
        Cycles.

    Members
    -------
    reset : In(1)
        A pulse: begin.
    quiet : In(1)
        Nothing is under way on any port.
    flush : Out(1)
        Hold the units in reset, drop what is read, fill up what is written with nothing.
    restart : Out(1)
        Reset the ports: the last cycle of ``flush``.
    """

    reset: Signal
    quiet: Signal
    flush: Signal
    restart: Signal

    def __init__(self, *, limit: int = 1 << 16):
        self._limit = limit
        super().__init__({"reset": In(1), "quiet": In(1), "flush": Out(1), "restart": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waited = Signal(range(self._limit + 1))
        with m.If(self.flush):
            m.d.comb += self.restart.eq((waited != 0) & self.quiet | (waited == self._limit))
            m.d.sync += [waited.eq(waited + 1), self.flush.eq(~self.restart)]
        with m.Elif(self.reset):
            m.d.sync += [self.flush.eq(1), waited.eq(0)]
        return m
