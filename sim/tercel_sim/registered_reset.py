"""A reset that a register holds, for simulations that are compiled."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring

__all__ = ["RegisteredReset"]


class RegisteredReset(wiring.Component):
    """A component that is reset a cycle later.

    What depends on a pin Verilator evaluates whenever it is asked to, and on the pin of the reset
    depends what every register becomes. On a register it depends no more than on any other: so a
    compiled accelerator is twice as fast.

    Parameters
    ----------
    component
        With the members that this one has, too.
    """

    DELAY = 1
    """Cycles from the end of the reset to that of the component's."""

    def __init__(self, component: wiring.Component):
        self._component = component
        super().__init__(component.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(init=1)
        m.d.sync += held.eq(0)
        m.domains.held = ClockDomain(local=True)
        m.d.comb += [ClockSignal("held").eq(ClockSignal()), ResetSignal("held").eq(held)]
        m.submodules.component = DomainRenamer("held")(self._component)
        inside = self.signature.flatten(self._component)
        for (_, member, pin), (*_, port) in zip(self.signature.flatten(self), inside, strict=True):
            m.d.comb += pin.eq(port) if member.flow == wiring.Out else port.eq(pin)
        return m
