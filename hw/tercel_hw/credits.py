"""A counter of credits that says from a register whether there are any."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.checks import check_integer

__all__ = ["Credits"]


class Credits(wiring.Component):
    """Counts the room of a queue that is written some cycles after it was reserved.

    Parameters
    ----------
    count
        Credits at first, and the most that there can be.

    Members
    -------
    any : Out(1)
        There is a credit; a register.
    left : Out(range(count + 1))
        Number of credits.
    spend : In(1)
        Take one; only if there is one.
    give : In(1)
        Return one.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """

    any: Signal
    left: Signal
    spend: Signal
    give: Signal

    def __init__(self, *, count: int):
        check_integer("count", count, 1, 1 << 20)
        self._count = count
        super().__init__(
            {"any": Out(1), "left": Out(range(count + 1)), "spend": In(1), "give": In(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        credit = Signal(range(self._count + 1), init=self._count)
        some = Signal(init=1)
        m.d.comb += [self.any.eq(some), self.left.eq(credit)]
        # Compared and counted before it is known whether one is spent or returned.
        more, less = credit + 1, credit - 1
        m.d.sync += some.eq(self.give | Mux(self.spend, credit > 1, some))
        with m.If(self.spend != self.give):
            m.d.sync += credit.eq(Mux(self.give, more, less))
        return m
