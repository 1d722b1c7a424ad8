"""Integers to float32."""

from amaranth.hdl import Cat, Const, Module, Signal, signed

from tercel_hw.float32.encoding import BIAS, SIGNIFICAND_BITS, WIDE_EXPONENT_BITS
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive
from tercel_hw.float32.rounding import round_to_float
from tercel_hw.float32.shifts import COARSE, leading_zeros, shift_left
from tercel_hw.float32.stages import Stages

__all__ = ["IntToFloat"]

LARGEST_WIDTH = 40


class IntToFloat(Primitive):
    """A signed integer rounded to the nearest float32, ties to even; one a cycle, latency 5.

    The stages: magnitude; normalise by bytes; normalise by bits; round; compose.

    Parameters
    ----------
    width
        Of the integer, 2 to 40.

    Members
    -------
    x : In(signed(width))
    o : Out(32)

    Raises
    ------
    TypeError
        If the width is no integer.
    ValueError
        If it is out of range.
    """

    LATENCY = 5

    x: Signal

    def __init__(self, *, width: int):
        if not isinstance(width, int):
            raise TypeError(f"width must be an integer, not {width!r}")
        if not 2 <= width <= LARGEST_WIDTH:
            raise ValueError(f"width must be between 2 and {LARGEST_WIDTH}, not {width}")
        self._width = width
        super().__init__({"x": signed(width)}, FLOAT32_BITS)

    @property
    def width(self) -> int:
        return self._width

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)

        negative = self.x[-1]
        flipped = self.x ^ negative.replicate(self._width)
        magnitude = stages(
            value=(flipped.as_unsigned() + negative)[: self._width],
            sign=negative,
        )
        # Room for the guard bit.
        room = max(SIGNIFICAND_BITS + 1 - self._width, 0)
        value = Cat(Const(0, room), magnitude.value)
        zeros = leading_zeros(value, COARSE, (len(value) - 1) // COARSE)
        by_bytes = stages(value=shift_left(value, zeros, COARSE), zeros=zeros, sign=magnitude.sign)
        value = by_bytes.value
        zeros = leading_zeros(value, 1, COARSE - 1)
        shifted = shift_left(value, zeros, 1)
        below = len(value) - SIGNIFICAND_BITS
        exponent = Const(BIAS + self._width - 1) - Cat(zeros, by_bytes.zeros)
        normal = stages(
            significand=shifted[below:],
            guard=shifted[below - 1],
            sticky=shifted[: below - 1].any(),
            exponent=exponent[:WIDE_EXPONENT_BITS].as_signed(),
            sign=by_bytes.sign,
            zero=~value[-COARSE:].any(),
            infinite=Const(0, 1),
        )
        m.d.comb += self.o.eq(round_to_float(stages, normal))
        return m
