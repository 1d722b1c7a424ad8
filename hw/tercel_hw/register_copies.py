"""Copies of a register, each for a part of its loads."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.checks import check_integer
from tercel_hw.target import Target

__all__ = ["RegisterCopies"]

KEEP = {"keep": "true"}


class RegisterCopies(wiring.Component):
    """A register, copied: every copy has the input of the cycle before.

    A net with thousands of loads is slow, so each copy drives only some of them. Synthesisers merge
    equal registers; on UltraScale+ the copies are primitives that neither Vivado nor Yosys merges,
    elsewhere they carry the attribute ``keep``. The registers have no reset.

    Parameters
    ----------
    width
        Bits of the register.
    copies
        Number of copies.

    Members
    -------
    i : In(width)
    o : Out(ArrayLayout(width, copies))

    Raises
    ------
    ValueError
        If a parameter is below 1.
    """

    LATENCY = 1

    i: Signal
    o: data.View

    def __init__(self, *, width: int, copies: int):
        check_integer("width", width, 1, 1024)
        check_integer("copies", copies, 1, 4096)
        self._width = width
        self._copies = copies
        copy = data.ArrayLayout(unsigned(width), copies)
        super().__init__({"i": In(width), "o": Out(copy)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        make = self._primitives if platform is Target.ULTRASCALE_PLUS else self._register
        for number in range(self._copies):
            copy = Signal(self._width, name=f"copy_{number}", attrs=KEEP, reset_less=True)
            make(m, number, copy)
            m.d.comb += self.o[number].eq(copy)
        return m

    def _register(self, m: Module, number: int, copy: Signal) -> None:
        m.d.sync += copy.eq(self.i)

    def _primitives(self, m: Module, number: int, copy: Signal) -> None:
        for bit in range(self._width):
            m.submodules[f"register_{number}_{bit}"] = Instance(
                "FDRE",
                a_DONT_TOUCH="true",
                p_INIT=Const(0, 1),
                i_C=ClockSignal("sync"),
                i_CE=Const(1, 1),
                i_R=Const(0, 1),
                i_D=self.i[bit],
                o_Q=copy[bit],
            )
