"""Float32 addition."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from tercel_hw.float32.encoding import (
    INFINITE,
    SIGNIFICAND_BITS,
    WIDE_EXPONENT_BITS,
    fields,
    significand,
)
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive
from tercel_hw.float32.rounding import round_to_float
from tercel_hw.float32.shifts import COARSE, FINE_BITS, leading_zeros, shift_left, shift_right
from tercel_hw.float32.stages import Stages

__all__ = ["Adder"]

ROUNDING_BITS = 2
"""Guard and round bit of the smaller operand; its sticky bit is kept apart."""


class Adder(Primitive):
    """``numerics.add``: the sum rounded once and flushed; one a cycle, latency 8.

    The stages: order by magnitude; align by bytes; align by bits; add; normalise by bytes;
    normalise by bits; round; compose. The result of opposite infinities, which is not a number in
    IEEE 754, is unspecified.

    Members
    -------
    a, b : In(32)
    o : Out(32)
    """

    LATENCY = 8

    a: Signal
    b: Signal

    def __init__(self):
        super().__init__({"a": FLOAT32_BITS, "b": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        a, b = fields(self.a), fields(self.b)

        swap = self.a[:-1] < self.b[:-1]
        distance = Mux(swap, b.exponent - a.exponent, a.exponent - b.exponent)
        exponent = Mux(swap, b.exponent, a.exponent)
        ordered = stages(
            big=Mux(swap, significand(self.b), significand(self.a)),
            small=Mux(swap, significand(self.a), significand(self.b)),
            exponent=exponent,
            distance=distance[: len(exponent)],
            sign=Mux(swap, b.sign, a.sign),
            both_negative=a.sign & b.sign,
            subtract=a.sign ^ b.sign,
        )
        coarse = ordered.distance[FINE_BITS : FINE_BITS + 2]
        # So far below, what is lost is less than a quarter of the last bit: it may be zero.
        far = ordered.distance[FINE_BITS + 2 :].any()
        small = Cat(Const(0, ROUNDING_BITS), ordered.small)
        shifted, lost = shift_right(small, coarse, COARSE)
        coarsely = stages(
            big=ordered.big,
            small=shifted & (~far).replicate(len(shifted)),
            sticky=lost,
            fine=ordered.distance[:FINE_BITS],
            exponent=ordered.exponent,
            infinite=ordered.exponent == INFINITE,
            sign=ordered.sign,
            both_negative=ordered.both_negative,
            subtract=ordered.subtract,
        )
        shifted, lost = shift_right(coarsely.small, coarsely.fine, 1)
        aligned = stages(
            big=coarsely.big,
            small=Cat(coarsely.sticky | lost, shifted),
            exponent=coarsely.exponent,
            infinite=coarsely.infinite,
            sign=coarsely.sign,
            both_negative=coarsely.both_negative,
            subtract=coarsely.subtract,
        )
        width = SIGNIFICAND_BITS + ROUNDING_BITS + 1
        subtract = aligned.subtract
        # One carry chain: the bit below the lowest makes the carry in.
        left = Cat(Const(1, 1), Const(0, ROUNDING_BITS + 1), aligned.big)
        right = Cat(subtract, aligned.small ^ subtract.replicate(width))
        total = (left + right)[1:]
        added = stages(
            total=Cat(total[:width], total[width] & ~subtract),
            exponent=aligned.exponent,
            infinite=aligned.infinite,
            sign=aligned.sign,
            both_negative=aligned.both_negative,
        )
        zeros = leading_zeros(added.total, COARSE, 3)
        by_bytes = stages(
            total=shift_left(added.total, zeros, COARSE),
            zeros=zeros,
            exponent=added.exponent,
            infinite=added.infinite,
            sign=added.sign,
            both_negative=added.both_negative,
        )
        zeros = leading_zeros(by_bytes.total, 1, COARSE - 1)
        total = shift_left(by_bytes.total, zeros, 1)
        zero = ~by_bytes.total[-COARSE:].any()
        below = len(total) - SIGNIFICAND_BITS
        exponent = (by_bytes.exponent + 1) - Cat(zeros, by_bytes.zeros)
        normal = stages(
            significand=total[below:],
            guard=total[below - 1],
            sticky=total[: below - 1].any(),
            exponent=exponent[:WIDE_EXPONENT_BITS].as_signed(),
            sign=Mux(zero, by_bytes.both_negative, by_bytes.sign),
            zero=zero,
            infinite=by_bytes.infinite,
        )
        m.d.comb += self.o.eq(round_to_float(stages, normal))
        return m
