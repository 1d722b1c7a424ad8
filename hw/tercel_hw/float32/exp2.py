"""The pipeline of 2^x."""

from amaranth.hdl import Cat, Const, Module, Signal

from tercel.numerics.functions import SIGNIFICAND_BITS as FRACTION_BITS
from tercel.numerics.functions import exp2_table
from tercel_hw.float32.encoding import BIAS, EXPONENT_BITS, INFINITE, MANTISSA_BITS
from tercel_hw.float32.float_to_fixed import FloatToFixed
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounding import pack
from tercel_hw.float32.segment_interpolator import SegmentInterpolator
from tercel_hw.float32.stages import Stages

__all__ = ["Exp2"]


class Exp2(Primitive):
    """``numerics.exp2``: zero below 2^-126, infinite from 2^128 on; one a cycle, latency 10.

    Members
    -------
    x : In(32)
    o : Out(32)
    """

    LATENCY = FloatToFixed.LATENCY + SegmentInterpolator.LATENCY + 1

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        table = exp2_table()
        converter = FloatToFixed(fraction_bits=FRACTION_BITS, width=32)
        fixed = attach(m, "converter", converter, self.enable, x=self.x)
        significand = attach(
            m,
            "interpolator",
            SegmentInterpolator(table),
            self.enable,
            index=fixed[table.low_bits : FRACTION_BITS],
            low=fixed[: table.low_bits],
        )
        octave = stages.delay(fixed[FRACTION_BITS:], 2, "octave").as_signed()
        beside = stages(
            exponent=(octave + BIAS)[:EXPONENT_BITS],
            zero=octave <= -BIAS,
            infinite=octave >= INFINITE - BIAS,
        )
        beside = stages(**vars(beside))
        number = Cat(significand[:MANTISSA_BITS], beside.exponent)
        sign = Const(0, 1)
        bits = pack(number=number, sign=sign, zero=beside.zero, infinite=beside.infinite)
        m.d.comb += self.o.eq(stages(float=bits).float)
        return m
