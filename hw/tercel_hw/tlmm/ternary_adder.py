"""The adder of three numbers with one carry chain."""

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.target import Target

__all__ = ["TernaryAdder"]

CARRY_BITS = 8
"""Bits of the primitive CARRY8."""


def _truth_table(inputs: int, function: Callable[[int], int]) -> Const:
    """Return a lookup table's contents for a function of the number of its inputs that are one."""
    ones = (row.bit_count() for row in range(1 << inputs))
    return Const(sum(function(count) << row for row, count in enumerate(ones)), 1 << inputs)


CARRY = _truth_table(3, lambda ones: ones >> 1)
PARITY = _truth_table(4, lambda ones: ones & 1)


class TernaryAdder(wiring.Component):
    """``a + b + c``, combinational.

    On UltraScale+ a bit takes one lookup table of two outputs: three bits add up to a sum and a
    carry, and the chain adds the sum to the carry from one place lower. The vendor's synthesis
    finds this form by itself, others do not.

    Parameters
    ----------
    width
        Bits of the operands and of the sum, which wraps around.

    Members
    -------
    a, b, c : In(signed(width))
    o : Out(signed(width))

    Raises
    ------
    ValueError
        If `width` is below 1.
    """

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(self, *, width: int):
        if width < 1:
            raise ValueError(f"width must be positive, not {width!r}")
        self._width = width
        shape = signed(width)
        super().__init__({"a": In(shape), "b": In(shape), "c": In(shape), "o": Out(shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if platform is not Target.ULTRASCALE_PLUS:
            m.d.comb += self.o.eq(self.a + self.b + self.c)
            return m
        carries, parities = Signal(self._width), Signal(self._width)
        below = Cat(Const(0, 1), carries)[: self._width]
        for bit in range(self._width):
            operands = {"i_I0": self.a[bit], "i_I1": self.b[bit], "i_I2": self.c[bit]}
            # An equal HLUTNM places both functions in one lookup table.
            m.submodules[f"carry_{bit}"] = Instance(
                "LUT3", a_HLUTNM=f"bit{bit}", p_INIT=CARRY, **operands, o_O=carries[bit]
            )
            m.submodules[f"parity_{bit}"] = Instance(
                "LUT4",
                a_HLUTNM=f"bit{bit}",
                p_INIT=PARITY,
                **operands,
                i_I3=below[bit],
                o_O=parities[bit],
            )
        self._chain(m, parities, below)
        return m

    def _chain(self, m: Module, propagated: Value, generated: Value) -> None:
        carry: Value = Const(0, 1)
        for first in range(0, self._width, CARRY_BITS):
            bits = slice(first, min(first + CARRY_BITS, self._width))
            sums, carries = (Signal(CARRY_BITS, name=f"{name}_{first}") for name in ("o", "co"))
            m.submodules[f"chain_{first}"] = Instance(
                "CARRY8",
                i_CI=carry,
                i_CI_TOP=Const(0, 1),
                i_S=Cat(propagated[bits], Const(0, CARRY_BITS))[:CARRY_BITS],
                i_DI=Cat(generated[bits], Const(0, CARRY_BITS))[:CARRY_BITS],
                o_O=sums,
                o_CO=carries,
            )
            m.d.comb += self.o[bits].eq(sums)
            carry = carries[CARRY_BITS - 1]
