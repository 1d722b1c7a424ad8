"""A registered reset, which makes compiled simulations faster."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring

__all__ = ["RegisteredReset"]


class RegisteredReset(wiring.Component):
    """Wraps a component and delays its reset by a cycle.

    Verilator evaluates all logic that depends on a pin at every evaluation, and every register
    depends on the reset. With the reset in a register, a compiled accelerator is twice as fast.

    Parameters
    ----------
    component
        The wrapped component, whose members this one has.
    """

    DELAY = 1
    """Cycles from the end of the reset to the end of the component's."""

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
