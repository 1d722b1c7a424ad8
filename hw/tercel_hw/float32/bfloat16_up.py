"""Rounding up of float32 to bfloat16, for cache scales."""

from amaranth.hdl import Module, Signal

from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive
from tercel_hw.float32.stages import Stages

__all__ = ["Bfloat16Up"]

BFLOAT16_BITS = 16


class Bfloat16Up(Primitive):
    """``numerics.bfloat16_up``: the smallest bfloat16 not below x >= 0; one a cycle, latency 1.

    Members
    -------
    x : In(32)
    o : Out(16)
    """

    LATENCY = 1

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, BFLOAT16_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        rounded = self.x[BFLOAT16_BITS:] + self.x[:BFLOAT16_BITS].any()
        m.d.comb += self.o.eq(stages(rounded=rounded[:BFLOAT16_BITS]).rounded)
        return m
