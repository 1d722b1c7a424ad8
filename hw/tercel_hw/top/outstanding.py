"""Work that was issued and has not been done."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Outstanding"]


class Outstanding(wiring.Component):
    """Counts what is issued against what is done.

    Parameters
    ----------
    most
        Most that may be outstanding.

    Members
    -------
    issued : In(2)
        How many more this cycle.
    done : In(1)
        One less.
    any : Out(1)
        Some are outstanding, from the cycle after they were issued.
    """

    issued: Signal
    done: Signal
    any: Signal

    def __init__(self, *, most: int = 1023):
        self._most = most
        super().__init__({"issued": In(2), "done": In(1), "any": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(range(self._most + 1))
        m.d.sync += count.eq(count + self.issued - self.done)
        m.d.comb += self.any.eq(count != 0)
        return m
