"""Modes of a DSP48E2 by name, as bits of its inputs OPMODE, ALUMODE and INMODE.

Names and values are those of UG579, chapter 2: the tables "OPMODE Control Bits Select X (Y, Z, W)
Multiplexer Outputs", and those of the functions of ALUMODE and INMODE.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Value
from amaranth.lib import enum

__all__ = ["ALUMODE", "INMODE", "XY", "W", "Z", "opmode", "select"]


class XY(enum.Enum, shape=4):
    """OPMODE[3:0]: operands X and Y of the adder, of which the product takes both."""

    ZERO = 0b00_00
    M = 0b01_01
    """The product."""
    AB = 0b00_11
    """X is A:B, concatenated; Y is zero. Without a multiplier only."""


class Z(enum.Enum, shape=3):
    """OPMODE[6:4]: operand Z of the adder."""

    ZERO = 0b000
    PCIN = 0b001
    """The cascade from the cell below."""
    P = 0b010
    """The cell's own last result."""
    C = 0b011
    PCIN_SHIFTED = 0b101
    """The cascade, shifted right by 17 bits with its sign."""


class W(enum.Enum, shape=2):
    """OPMODE[8:7]: operand W of the adder."""

    ZERO = 0b00
    RND = 0b10
    """The constant of the attribute RND."""
    C = 0b11


class ALUMODE(enum.Enum, shape=4):
    """Operation of the adder, of its operands and the carry CIN."""

    ADD = 0b0000
    """``Z + (W + X + Y + CIN)``"""
    NEGATE_Z = 0b0001
    """``-Z + (W + X + Y + CIN) - 1``"""
    SUBTRACT = 0b0011
    """``Z - (W + X + Y + CIN)``"""


class INMODE(enum.Enum, shape=5):
    """Factor of the multiplier behind the pre-adder (AMULTSEL = AD); the other is B2."""

    A2 = 0b00000
    D = 0b00110
    """The pre-adder adds D to A2, which INMODE[1] holds at zero."""


def opmode(*, xy: XY | Value = XY.ZERO, z: Z | Value = Z.ZERO, w: W | Value = W.ZERO) -> Value:
    """Return OPMODE for the operands; its 9 bits are constant where they are."""
    return Cat(Value.cast(xy), Value.cast(z), Value.cast(w))


def select(default: enum.Enum, choices: Mapping[enum.Enum, Value]) -> Value:
    """Return the mode whose condition (a bit) is high, or ``default`` if none is.

    At most one condition may be high. The bits come from the conditions without a multiplexer.

    Raises
    ------
    ValueError
        If a mode has a zero where ``default`` has a one, which would take more logic.
    """
    ones = Value.cast(default)
    width = len(ones)
    if lacking := [mode.name for mode in choices if default.value & ~mode.value]:
        raise ValueError(f"{lacking[0]} lacks a bit of the default {default.name}")
    bits = []
    for bit in range(width):
        given = [condition for mode, condition in choices.items() if mode.value >> bit & 1]
        if default.value >> bit & 1 or not given:
            bits.append(Const(default.value >> bit & 1, 1))
        else:
            bits.append(reduce(or_, given))
    return Cat(bits)
