"""The counter of issued work that is not done."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Outstanding"]


class Outstanding(wiring.Component):
    """Counts issued items minus done items.

    Parameters
    ----------
    most
        Most items that may be outstanding.

    Members
    -------
    issued : In(2)
        Number of items issued in this cycle.
    done : In(1)
        An item is done in this cycle.
    any : Out(1)
        Some item is outstanding, from the cycle after it was issued.
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
