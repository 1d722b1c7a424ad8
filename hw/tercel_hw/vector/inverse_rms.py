"""The inverse of a root mean square."""

from amaranth.hdl import Module, Signal

from tercel_hw.float32 import Adder, Multiplier, Primitive, Rsqrt, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["InverseRms"]


class InverseRms(Primitive):
    """``rsqrt(add(multiply(squares, inverse_width), epsilon))``; one a cycle, latency 20.

    Members
    -------
    squares : In(32)
        A sum of squares.
    inverse_width, epsilon : In(32)
        Not negative; ``epsilon`` constant while operands are in the pipeline.
    o : Out(32)
    """

    LATENCY = Multiplier.LATENCY + Adder.LATENCY + Rsqrt.LATENCY

    squares: Signal
    inverse_width: Signal
    epsilon: Signal

    def __init__(self):
        names = ("squares", "inverse_width", "epsilon")
        super().__init__(dict.fromkeys(names, FLOAT32_BITS), FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.enable
        mean = attach(m, "mean", Multiplier(), enable, a=self.squares, b=self.inverse_width)
        above = attach(m, "above", Adder(magnitudes=True), enable, a=mean, b=self.epsilon)
        m.d.comb += self.o.eq(attach(m, "inverse", Rsqrt(), enable, x=above))
        return m
