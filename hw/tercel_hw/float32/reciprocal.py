"""The pipeline of 1/x."""

from amaranth.hdl import Cat, Const, Module, Signal

from tercel.numerics.functions import reciprocal_table
from tercel_hw.float32.encoding import BIAS, EXPONENT_BITS, MANTISSA_BITS, fields
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounding import pack
from tercel_hw.float32.segment_interpolator import SegmentInterpolator
from tercel_hw.float32.stages import Stages

__all__ = ["Reciprocal"]


class Reciprocal(Primitive):
    """``numerics.reciprocal``; of zero and of infinity it is zero; one a cycle, latency 5.

    Members
    -------
    x : In(32)
    o : Out(32)
    """

    LATENCY = SegmentInterpolator.LATENCY + 1

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        table = reciprocal_table()
        x = fields(self.x)
        significand = attach(
            m,
            "interpolator",
            SegmentInterpolator(table),
            self.enable,
            index=x.mantissa[table.low_bits :],
            low=x.mantissa[: table.low_bits],
        )
        outer = fields(Cat(Const(0, MANTISSA_BITS), stages.delay(self.x[-9:], 2, "outer")))
        beside = stages(
            # The table holds 2/m, so the exponent is one less.
            exponent=(2 * BIAS - 1 - outer.exponent)[:EXPONENT_BITS],
            zero=(outer.exponent == 0) | (outer.exponent >= 2 * BIAS - 1),
            sign=outer.sign,
        )
        beside = stages(**vars(beside))
        number = Cat(significand[:MANTISSA_BITS], beside.exponent)
        bits = pack(number=number, sign=beside.sign, zero=beside.zero)
        m.d.comb += self.o.eq(stages(float=bits).float)
        return m
