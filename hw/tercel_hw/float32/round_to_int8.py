"""Rounding of float32 to int8, for quantised rows."""

from amaranth.hdl import Const, Module, Mux, Signal, signed

from tercel_hw.float32.float_to_fixed import FloatToFixed
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.stages import Stages

__all__ = ["RoundToInt8"]

LIMIT = 127


class RoundToInt8(Primitive):
    """Round to the nearest integer, ties to even, clamped to +-127; one a cycle, latency 6.

    ``numerics.quantise`` does the same to the product of an element and its row's unit.

    Members
    -------
    x : In(32)
    o : Out(signed(8))
    """

    LATENCY = FloatToFixed.LATENCY + 1

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, signed(8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        converter = FloatToFixed(fraction_bits=0, width=8)
        fixed = attach(m, "converter", converter, self.enable, x=self.x)
        clamped = Mux(fixed < -LIMIT, Const(-LIMIT, signed(8)), fixed)
        m.d.comb += self.o.eq(stages(clamped=clamped).clamped)
        return m
