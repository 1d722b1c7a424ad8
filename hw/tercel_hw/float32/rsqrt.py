"""1/sqrt(x)."""

from amaranth.hdl import Cat, Const, Module, Signal

from tercel.numerics.functions import rsqrt_table
from tercel_hw.float32.encoding import BIAS, WIDE_EXPONENT_BITS, compose, fields
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.segment_interpolator import SegmentInterpolator
from tercel_hw.float32.stages import Stages

__all__ = ["Rsqrt"]


class Rsqrt(Primitive):
    """``numerics.rsqrt`` of finite x >= 0; of zero it is zero; one a cycle, latency 5.

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
        table = rsqrt_table()
        x = fields(self.x)
        # The bias is odd: an even field is an odd exponent.
        significand = attach(
            m,
            "interpolator",
            SegmentInterpolator(table),
            self.enable,
            index=Cat(x.mantissa[table.low_bits :], ~x.exponent[0]),
            low=x.mantissa[: table.low_bits],
        )
        outer = stages.delay(self.x[-9:], SegmentInterpolator.LATENCY - 1, "outer")
        half = (outer[:-1] - BIAS).as_signed() >> 1
        # The table holds 2/sqrt(m), hence one less.
        exponent = (Const(BIAS - 1) - half)[:WIDE_EXPONENT_BITS].as_signed()
        beside = stages(exponent=exponent, zero=~outer[:-1].any(), sign=outer[-1])
        bits = compose(
            sign=beside.sign,
            exponent=beside.exponent,
            mantissa=significand,
            zero=beside.zero,
        )
        m.d.comb += self.o.eq(stages(float=bits).float)
        return m
