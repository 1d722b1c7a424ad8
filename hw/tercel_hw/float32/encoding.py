"""A float32's 32 bits: fields, constants, composition."""

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.lib import data

__all__ = [
    "BIAS",
    "EXPONENT_BITS",
    "FLOAT32",
    "INFINITE",
    "MANTISSA_BITS",
    "SIGNIFICAND_BITS",
    "WIDE_EXPONENT_BITS",
    "compose",
    "fields",
    "significand",
]

FLOAT32 = data.StructLayout({"mantissa": 23, "exponent": 8, "sign": 1})
BIAS = 127
INFINITE = 255
"""The exponent field of infinity."""
MANTISSA_BITS = 23
SIGNIFICAND_BITS = MANTISSA_BITS + 1
"""Mantissa and hidden bit."""
EXPONENT_BITS = 8
WIDE_EXPONENT_BITS = 10
"""Two's complement; holds the exponent of any sum, product or table result."""


def fields(bits: Value) -> data.View:
    """The sign, exponent and mantissa of 32 bits."""
    return data.View(FLOAT32, bits)


def significand(bits: Value) -> Value:
    """The 24 bits with the hidden one; 0 for zeros and subnormals."""
    normal = fields(bits).exponent.any()
    return Cat(fields(bits).mantissa & normal.replicate(SIGNIFICAND_BITS - 1), normal)


def compose(
    *,
    sign: Value,
    exponent: Value,
    mantissa: Value,
    zero: Value | int = 0,
    infinite: Value | int = 0,
) -> Value:
    """The 32 bits of a result; flushed at exponents <= 0, infinite from 255 on.

    Parameters
    ----------
    exponent
        Biased, signed.
    mantissa
        23 bits.
    zero, infinite
        Whatever the exponent says, the result is that; infinity goes first.
    """
    infinite = infinite | (exponent >= INFINITE)
    vanishing = zero | (exponent <= 0)
    number = Cat(mantissa[: SIGNIFICAND_BITS - 1], exponent[:EXPONENT_BITS])
    infinity = Const(INFINITE << (SIGNIFICAND_BITS - 1), len(number))
    return Cat(Mux(infinite, infinity, Mux(vanishing, 0, number)), sign)
