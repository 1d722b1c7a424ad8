"""The reciprocal of a softmax denominator, the factor of a query's output."""

from amaranth.hdl import Const, Module, Signal, signed

from tercel.numerics.attention import SUM_SHIFT
from tercel_hw.attention.config import DENOMINATOR_BITS
from tercel_hw.float32 import IntToFloat, Primitive, Reciprocal, Stages, attach
from tercel_hw.float32.encoding import BIAS, compose, fields
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["Inverse"]

EXPONENT_BITS = 11


class Inverse(Primitive):
    """``reciprocal(float32(sum)) * 2^(exponent + 3)``, flushed; one a cycle, latency 12.

    Members
    -------
    sum : In(32)
        The denominator, unsigned.
    exponent : In(8)
        The largest exponent, biased.
    o : Out(32)
    """

    LATENCY = IntToFloat.LATENCY + Reciprocal.LATENCY + 2

    sum: Signal
    exponent: Signal
    o: Signal

    def __init__(self):
        super().__init__({"sum": DENOMINATOR_BITS, "exponent": 8}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        converter = IntToFloat(width=DENOMINATOR_BITS + 1)
        total = attach(m, "float", converter, self.enable, x=self.sum)
        inverse = attach(m, "reciprocal", Reciprocal(), self.enable, x=total)
        exponent = stages.delay(self.exponent, self.LATENCY - 2, "exponent")

        shift = exponent - (BIAS - (SUM_SHIFT - 1))
        moved = Signal(signed(EXPONENT_BITS))
        m.d.comb += moved.eq(fields(inverse).exponent + shift)
        shifted = stages(
            exponent=moved,
            mantissa=fields(inverse).mantissa,
            zero=~fields(inverse).exponent.any(),
        )
        # Gradual underflow would round 24 ones up to 2^-126; the table has no such value.
        bits = compose(
            sign=Const(0, 1),
            exponent=shifted.exponent,
            mantissa=shifted.mantissa,
            zero=shifted.zero,
            infinite=Const(0, 1),
        )
        m.d.comb += self.o.eq(stages(bits=bits).bits)
        return m
