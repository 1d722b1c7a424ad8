"""The factor that quantises a row's elements."""

from amaranth.hdl import Const, Module, Mux, Signal

from tercel.numerics.quantise import LIMIT
from tercel_hw.float32 import Multiplier, Primitive, Reciprocal, attach
from tercel_hw.float32.encoding import INFINITE, SIGNIFICAND_BITS, fields
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["RowUnit"]

LARGEST = (INFINITE << (SIGNIFICAND_BITS - 1)) - 1
"""The largest finite float."""
LIMIT_BITS = 8
"""Bits of a significand that holds 127."""


class RowUnit(Primitive):
    """``127 * reciprocal(maximum)``, saturated at the largest float; one a cycle, latency 12.

    Members
    -------
    maximum : In(32)
        The row's largest magnitude.
    o : Out(32)
    """

    LATENCY = Reciprocal.LATENCY + Multiplier.LATENCY

    maximum: Signal

    def __init__(self):
        super().__init__({"maximum": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inverse = attach(m, "reciprocal", Reciprocal(), self.enable, x=self.maximum)
        limit = Const(int(LIMIT.view("uint32")), FLOAT32_BITS)
        product = attach(
            m, "product", Multiplier(b_bits=LIMIT_BITS), self.enable, a=inverse, b=limit
        )
        infinite = fields(product).exponent == INFINITE
        m.d.comb += self.o.eq(Mux(infinite, LARGEST, product))
        return m
