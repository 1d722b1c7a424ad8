"""Conversion of float32 to fixed point."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from tercel_hw.float32.encoding import BIAS, fields
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounded_shift import LARGEST_WIDTH, RoundedShift
from tercel_hw.float32.stages import Stages

__all__ = ["FloatToFixed"]

MOST_FRACTION_BITS = 64


class FloatToFixed(Primitive):
    """``numerics.fixed``: ties to even, saturating; one a cycle, latency 5.

    Stages: four that shift, negate and round; saturate.

    Parameters
    ----------
    fraction_bits
        Fraction bits of the result, 0 to 64.
    width
        Bits of the signed result, 2 to 32.

    Members
    -------
    x : In(32)
    o : Out(signed(width))
        Integer in units of ``2**-fraction_bits``.

    Raises
    ------
    TypeError
        If a parameter is no integer.
    ValueError
        If it is out of range.
    """

    LATENCY = RoundedShift.LATENCY + 1

    x: Signal

    def __init__(self, *, fraction_bits: int, width: int):
        for name, value in ("fraction_bits", fraction_bits), ("width", width):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
        if not 0 <= fraction_bits <= MOST_FRACTION_BITS:
            raise ValueError(
                f"fraction_bits must be between 0 and {MOST_FRACTION_BITS}, not {fraction_bits}"
            )
        if not 2 <= width <= LARGEST_WIDTH:
            raise ValueError(f"width must be between 2 and {LARGEST_WIDTH}, not {width}")
        self._fraction_bits = fraction_bits
        self._width = width
        super().__init__({"x": FLOAT32_BITS}, signed(width))

    @property
    def fraction_bits(self) -> int:
        return self._fraction_bits

    @property
    def width(self) -> int:
        return self._width

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        width = self._width
        # Exponent whose highest bit is the one below the result's sign.
        largest = BIAS + width - 2 - self._fraction_bits
        x = fields(self.x)
        rounded = attach(
            m,
            "shift",
            RoundedShift(width=width, largest=largest),
            self.enable,
            # A zero or subnormal operand is far below the smallest result.
            significand=Cat(x.mantissa, Const(1, 1)),
            exponent=x.exponent,
            negative=x.sign,
        )
        given = stages(exponent=x.exponent, sign=x.sign)
        beside = stages(saturated=given.exponent > largest, sign=given.sign)
        beside = stages(**vars(beside))
        beside = stages(**vars(beside))
        saturated = beside.saturated | (rounded[-2] & ~rounded[-1])
        extreme = Cat((~beside.sign).replicate(width - 1), beside.sign)
        m.d.comb += self.o.eq(stages(fixed=Mux(saturated, extreme, rounded[:width])).fixed)
        return m
