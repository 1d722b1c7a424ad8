"""The pipeline of an element of a rotated pair."""

from amaranth.hdl import Module, Signal

from tercel_hw.float32 import Adder, Multiplier, Primitive, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["Rotation"]


class Rotation(Primitive):
    """``add(multiply(x, cosine), multiply(y, sine))``; one a cycle, latency 15.

    Members
    -------
    x, cosine, y, sine : In(32)
    o : Out(32)
    """

    LATENCY = Multiplier.LATENCY + Adder.LATENCY

    x: Signal
    cosine: Signal
    y: Signal
    sine: Signal

    def __init__(self):
        names = ("x", "cosine", "y", "sine")
        super().__init__(dict.fromkeys(names, FLOAT32_BITS), FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = attach(m, "own", Multiplier(), self.enable, a=self.x, b=self.cosine)
        b = attach(m, "other", Multiplier(), self.enable, a=self.y, b=self.sine)
        m.d.comb += self.o.eq(attach(m, "sum", Adder(), self.enable, a=a, b=b))
        return m
