"""The scale of a quantised row."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from tercel.numerics.blocks import MOST_SHIFT
from tercel.numerics.quantise import INVERSE_LIMIT
from tercel_hw.float32 import Multiplier, Primitive, Stages, attach
from tercel_hw.float32.encoding import BIAS, INFINITE, SIGNIFICAND_BITS, fields
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.inverse_rms import InverseRms

__all__ = ["ONE", "RowScale"]

ONE = BIAS << (SIGNIFICAND_BITS - 1)
"""1.0"""


class RowScale(Primitive):
    """``maximum / 127``, divided by the root mean square if normed; one a cycle, latency 27.

    ``multiply(multiply(maximum, float32(1 / 127)), rsqrt(add(multiply(squares, inverse_width),
    epsilon)))``; the second factor is 1 if not normed. Of a row in blocks the first one is
    multiplied by ``2^-7``.

    Parameters
    ----------
    blocks
        True if rows may be in blocks.

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
    blocks : In(1)
        The row is in blocks; constant likewise. Only if rows may be.
    o : Out(32)
    """

    LATENCY = InverseRms.LATENCY + Multiplier.LATENCY

    maximum: Signal
    squares: Signal
    inverse_width: Signal
    epsilon: Signal
    normed: Signal
    blocks: Signal

    def __init__(self, *, blocks: bool = False):
        floats = ("maximum", "squares", "inverse_width", "epsilon")
        flags = ("normed", "blocks") if blocks else ("normed",)
        self._blocks = blocks
        operands = {**dict.fromkeys(floats, FLOAT32_BITS), **dict.fromkeys(flags, 1)}
        super().__init__(operands, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable, stages = self.enable, Stages(m, self.enable)
        limit = Const(int(INVERSE_LIMIT.view("uint32")), FLOAT32_BITS)
        plain = attach(m, "plain", Multiplier(), enable, a=self.maximum, b=limit)
        names = ("squares", "inverse_width", "epsilon")
        norm = {name: getattr(self, name) for name in names}
        inverse = attach(m, "inverse", InverseRms(), enable, **norm)
        cycles = InverseRms.LATENCY - Multiplier.LATENCY
        if self._blocks:
            plain = stages(plain=Mux(self.blocks, _least_shift(plain), plain)).plain
            cycles -= 1
        late = stages.delay(plain, cycles, "plain")
        factor = Mux(self.normed, inverse, ONE)
        scale = attach(m, "scale", Multiplier(), enable, a=late, b=factor)
        m.d.comb += self.o.eq(scale)
        return m


def _least_shift(x: Value) -> Value:
    """Return ``x * 2^-7`` of an x that is not negative, as `Multiplier` does.

    A result below 2^-126 is flushed, unless it rounds up to that: then it has 24 ones.
    """
    mantissa, exponent = fields(x).mantissa, fields(x).exponent
    small = exponent <= MOST_SHIFT
    up = (exponent == MOST_SHIFT) & mantissa.all()
    lower = Mux(exponent == INFINITE, INFINITE, exponent - MOST_SHIFT)
    shifted = Mux(small, up, lower)[: len(exponent)]
    return Cat(Mux(small, 0, mantissa), shifted, Const(0, 1))
