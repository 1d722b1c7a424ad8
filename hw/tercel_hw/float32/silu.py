"""The pipeline of the sigmoid linear unit."""

from amaranth.hdl import Module, Signal

from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.sigmoid import Sigmoid
from tercel_hw.float32.stages import Stages

__all__ = ["Silu"]


class Silu(Primitive):
    """``numerics.silu``: x * sigmoid(x); one a cycle, latency 37.

    Members
    -------
    x : In(32)
    o : Out(32)
    """

    LATENCY = Sigmoid.LATENCY + Multiplier.LATENCY

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gate = attach(m, "gate", Sigmoid(), self.enable, x=self.x)
        x = Stages(m, self.enable).delay(self.x, Sigmoid.LATENCY, "x")
        m.d.comb += self.o.eq(attach(m, "product", Multiplier(), self.enable, a=x, b=gate))
        return m
