"""The pipeline of the squared rectified linear unit."""

from amaranth.hdl import Module, Signal

from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach

__all__ = ["SquaredRelu"]


class SquaredRelu(Primitive):
    """``numerics.relu2``: max(x, 0)^2; one a cycle, latency 7.

    Members
    -------
    x : In(32)
    o : Out(32)
    """

    LATENCY = Multiplier.LATENCY

    x: Signal

    def __init__(self):
        super().__init__({"x": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        positive = self.x & (~self.x[-1]).replicate(FLOAT32_BITS)
        square = attach(m, "square", Multiplier(), self.enable, a=positive, b=positive)
        m.d.comb += self.o.eq(square)
        return m
