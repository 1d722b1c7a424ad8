"""The scale of a quantised row."""

from amaranth.hdl import Const, Module, Mux, Signal

from tercel.numerics.quantise import INVERSE_LIMIT
from tercel_hw.float32 import Adder, Multiplier, Primitive, Rsqrt, Stages, attach
from tercel_hw.float32.encoding import BIAS, SIGNIFICAND_BITS
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["ONE", "RowScale"]

ONE = BIAS << (SIGNIFICAND_BITS - 1)
"""1.0"""


class RowScale(Primitive):
    """``maximum / 127``, divided by the root mean square if normed; one a cycle, latency 27.

    ``multiply(multiply(maximum, float32(1 / 127)), rsqrt(add(multiply(squares, inverse_width),
    epsilon)))``; the second factor is 1 if not normed.

    Members
    -------
    maximum : In(32)
        The row's largest magnitude.
    squares : In(32)
        The sum of squares before the gains.
    inverse_width, epsilon : In(32)
        Not negative.
    normed : In(1)
        Divide by the root mean square. Like ``inverse_width`` and ``epsilon``, constant while
        operands are in the pipeline.
    o : Out(32)
    """

    LATENCY = Multiplier.LATENCY + Adder.LATENCY + Rsqrt.LATENCY + Multiplier.LATENCY

    maximum: Signal
    squares: Signal
    inverse_width: Signal
    epsilon: Signal
    normed: Signal

    def __init__(self):
        floats = ("maximum", "squares", "inverse_width", "epsilon")
        super().__init__({**dict.fromkeys(floats, FLOAT32_BITS), "normed": 1}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable, stages = self.enable, Stages(m, self.enable)
        limit = Const(int(INVERSE_LIMIT.view("uint32")), FLOAT32_BITS)
        plain = attach(m, "plain", Multiplier(), enable, a=self.maximum, b=limit)
        mean = attach(m, "mean", Multiplier(), enable, a=self.squares, b=self.inverse_width)
        above = attach(m, "above", Adder(magnitudes=True), enable, a=mean, b=self.epsilon)
        inverse = attach(m, "inverse", Rsqrt(), enable, x=above)
        late = stages.delay(plain, Adder.LATENCY + Rsqrt.LATENCY, "plain")
        factor = Mux(self.normed, inverse, ONE)
        scale = attach(m, "scale", Multiplier(), enable, a=late, b=factor)
        m.d.comb += self.o.eq(scale)
        return m
