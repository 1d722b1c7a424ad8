"""Float32 multiplication."""

from amaranth.hdl import Module, Mux, Signal

from tercel_hw.float32.encoding import (
    BIAS,
    INFINITE,
    SIGNIFICAND_BITS,
    WIDE_EXPONENT_BITS,
    fields,
    significand,
)
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive
from tercel_hw.float32.rounding import round_to_float
from tercel_hw.float32.stages import Stages

__all__ = ["Multiplier"]

LOW_BITS = 17
"""Of the second significand: they fit a DSP with the whole first; also the cascade's shift."""


class Multiplier(Primitive):
    """``numerics.multiply``: the product rounded once and flushed; one a cycle, latency 7.

    The significands' product is ``a * b[:17] + (a * b[17:] << 17)``, with the registers of two
    cascaded DSP48E2 (operands, product, sum). The stages: operands; low product; its sum and the
    high product; the whole; select; round; compose. Zero times infinity, not a number in IEEE 754,
    is zero here.

    Members
    -------
    a, b : In(32)
    o : Out(32)
    """

    LATENCY = 7

    a: Signal
    b: Signal

    def __init__(self):
        super().__init__({"a": FLOAT32_BITS, "b": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        a, b = fields(self.a), fields(self.b)

        operands = stages(
            a=significand(self.a),
            b=significand(self.b),
            exponent=a.exponent + b.exponent,
            sign=a.sign ^ b.sign,
            zero=~(a.exponent.any() & b.exponent.any()),
            infinite=(a.exponent == INFINITE) | (b.exponent == INFINITE),
        )
        exponent = (operands.exponent - BIAS)[:WIDE_EXPONENT_BITS].as_signed()
        low = stages(
            low=operands.a * operands.b[:LOW_BITS],
            a=operands.a,
            b=operands.b[LOW_BITS:],
            exponent=exponent,
            sign=operands.sign,
            zero=operands.zero,
            infinite=operands.infinite & ~operands.zero,
        )
        high = stages(
            low=low.low,
            high=low.a * low.b,
            exponent=low.exponent,
            sign=low.sign,
            zero=low.zero,
            infinite=low.infinite,
        )
        width = 2 * SIGNIFICAND_BITS - LOW_BITS
        whole = stages(
            product=(high.high + high.low[LOW_BITS:])[:width],
            lost=high.low[:LOW_BITS].any(),
            exponent=high.exponent,
            sign=high.sign,
            zero=high.zero,
            infinite=high.infinite,
        )
        product = whole.product
        carry = product[-1]
        below = width - SIGNIFICAND_BITS
        exact = stages(
            significand=Mux(carry, product[below:], product[below - 1 : -1]),
            guard=Mux(carry, product[below - 1], product[below - 2]),
            sticky=product[: below - 2].any() | (carry & product[below - 2]) | whole.lost,
            exponent=(whole.exponent + carry)[:WIDE_EXPONENT_BITS].as_signed(),
            sign=whole.sign,
            zero=whole.zero,
            infinite=whole.infinite,
        )
        m.d.comb += self.o.eq(round_to_float(stages, exact))
        return m
