"""The encoding of float32: fields, constants, composition."""

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
"""Exponent field of infinity."""
MANTISSA_BITS = 23
SIGNIFICAND_BITS = MANTISSA_BITS + 1
"""Bits of a significand: mantissa and hidden bit."""
EXPONENT_BITS = 8
WIDE_EXPONENT_BITS = 10
"""Width of a signed exponent that holds that of any sum, product or table result."""


def fields(bits: Value) -> data.View:
    """View 32 bits as sign, exponent and mantissa."""
    return data.View(FLOAT32, bits)


def significand(bits: Value) -> Value:
    """Return the 24 bits of a significand with the hidden one; 0 for zeros and subnormals."""
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
    """Compose the 32 bits of a result; flushed at exponents <= 0, infinite from 255 on.

    Parameters
    ----------
    exponent
        Biased, signed.
    mantissa
        23 bits.
    zero, infinite
        Force the result to zero or infinity whatever the exponent is; infinity has priority.
    """
    infinite = infinite | (exponent >= INFINITE)
    vanishing = zero | (exponent <= 0)
    number = Cat(mantissa[: SIGNIFICAND_BITS - 1], exponent[:EXPONENT_BITS])
    infinity = Const(INFINITE << (SIGNIFICAND_BITS - 1), len(number))
    return Cat(Mux(infinite, infinity, Mux(vanishing, 0, number)), sign)
