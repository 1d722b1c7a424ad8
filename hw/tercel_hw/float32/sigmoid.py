"""The pipeline of the logistic function."""

from amaranth.hdl import Cat, Const, Module, Signal

from tercel.numerics.functions import LOG2_E
from tercel_hw.float32.adder import Adder
from tercel_hw.float32.exp2 import Exp2
from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.reciprocal import Reciprocal

__all__ = ["Sigmoid"]

ONE = 0x3F800000


class Sigmoid(Primitive):
    """``numerics.sigmoid``: 1 / (1 + 2^-(x log2 e)); one a cycle, latency 30.

    Members
    -------
    x : In(32)
    o : Out(32)
    """

    LATENCY = Multiplier.LATENCY + Exp2.LATENCY + Adder.LATENCY + Reciprocal.LATENCY

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.enable
        log2_e = Const(int(LOG2_E.view("uint32")), FLOAT32_BITS)
        negated = Cat(self.x[:-1], ~self.x[-1])
        exponent = attach(m, "scale", Multiplier(), enable, a=negated, b=log2_e)
        power = attach(m, "power", Exp2(), enable, x=exponent)
        total = attach(
            m, "total", Adder(magnitudes=True), enable, a=Const(ONE, FLOAT32_BITS), b=power
        )
        m.d.comb += self.o.eq(attach(m, "inverse", Reciprocal(), enable, x=total))
        return m
