"""Conversion of integers to float32."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from tercel_hw.float32.encoding import BIAS, SIGNIFICAND_BITS
from tercel_hw.float32.normaliser import (
    COARSE_BITS,
    EXPONENT_BITS,
    NORMAL_BITS,
    Normaliser,
    power_of_shift,
)
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounding import pack, round_to_float
from tercel_hw.float32.shifts import COARSE, leading_zeros, shift_left
from tercel_hw.float32.stages import Stages

__all__ = ["IntToFloat"]

LARGEST_WIDTH = 40
ROUNDED_BITS = SIGNIFICAND_BITS + 3
"""Bits for rounding: a significand, a place of normalisation, a guard and a sticky bit."""


class IntToFloat(Primitive):
    """A signed integer rounded to the nearest float32, ties to even; one a cycle, latency 5.

    Stages: magnitude; normalise by bytes; normalise by pairs; round; compose. Up to 24 bits:
    magnitude; size; normalise, in two stages; compose.

    Parameters
    ----------
    width
        Bits of the integer, 2 to 40.

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
        bits = self._exact(m, stages) if self._width <= SIGNIFICAND_BITS else self._rounded(stages)
        m.d.comb += self.o.eq(stages(float=bits).float)
        return m

    @staticmethod
    def _magnitude(stages: Stages, x: Value) -> SimpleNamespace:
        negative = x[-1]
        flipped = (x ^ negative.replicate(len(x))).as_unsigned()
        return stages(value=(flipped + negative)[: len(x)], sign=negative)

    def _exact(self, m: Module, stages: Stages) -> Value:
        """Normalise an integer of up to 24 bits, which needs no rounding."""
        magnitude = self._magnitude(stages, self.x)
        x = Cat(Const(0, NORMAL_BITS - self._width), magnitude.value)
        small, small_power = Const(0, 1), Const(0, 1)
        if self._width > COARSE_BITS:
            small = ~x[-COARSE_BITS:].any()
            small_power = power_of_shift(Cat(Const(0, COARSE_BITS), x[:-COARSE_BITS]), 1)
        # The shifts of a large and of a small number have a stage of their own: with the choice of
        # one before it the multiplier would begin late.
        sized = stages(
            value=magnitude.value,
            small=small,
            large_power=power_of_shift(x, 1),
            small_power=small_power,
            sign=magnitude.sign,
        )
        normaliser = Normaliser(spacing=1, given=True)
        attach(
            m,
            "normaliser",
            normaliser,
            self.enable,
            x=Cat(Const(0, NORMAL_BITS - self._width), sized.value),
            coarse=sized.small,
            power=Mux(sized.small, sized.small_power, sized.large_power),
            exponent=Const(BIAS + self._width - 1, EXPONENT_BITS),
        )
        number = Cat(
            normaliser.o.x[-SIGNIFICAND_BITS:-1], normaliser.o.exponent[: EXPONENT_BITS - 1]
        )
        sign = stages.delay(sized.sign, Normaliser.LATENCY, "sign")
        return pack(number=number, sign=sign, zero=~normaliser.o.x[-1])

    def _rounded(self, stages: Stages) -> Value:
        magnitude = self._magnitude(stages, self.x)
        value = Cat(Const(0, max(ROUNDED_BITS - self._width, 0)), magnitude.value)
        zeros = leading_zeros(value, COARSE, 3)
        shifted = shift_left(value, zeros, COARSE)
        if (beyond := len(value) - 4 * COARSE) > 0:
            # A 4:1 multiplexer a bit fits a lookup table.
            small = ~value[beyond:].any()
            shifted = Mux(small, Cat(Const(0, 4 * COARSE), value[:beyond]), shifted)
            zeros = Cat(zeros & (~small).replicate(2), small)
        by_bytes = stages(value=shifted, zeros=zeros, sign=magnitude.sign)
        # By pairs of bits: rounding normalises by the last place.
        pairs = leading_zeros(by_bytes.value, 2, COARSE // 2 - 1)
        shifted = shift_left(by_bytes.value, pairs, 2)
        below = len(value) - (ROUNDED_BITS - 1)
        exponent = Const(BIAS + self._width - 2) - Cat(0, pairs, by_bytes.zeros)
        exact = stages(
            significand=Cat(shifted[:below].any(), shifted[below:]),
            exponent=exponent[:EXPONENT_BITS],
            least=Const(0, 2),
            tie_down=Const(0, 1),
            sign=by_bytes.sign,
            zero=~by_bytes.value[-COARSE:].any(),
            infinite=Const(0, 1),
        )
        # The exponent of an integer is always in range.
        rounded = round_to_float(stages, exact)
        return pack(
            number=rounded.number[: FLOAT32_BITS - 1],
            sign=rounded.sign,
            zero=rounded.zero,
        )
