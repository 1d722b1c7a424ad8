"""Float32 to fixed point."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from tercel_hw.float32.encoding import (
    BIAS,
    SIGNIFICAND_BITS,
    WIDE_EXPONENT_BITS,
    fields,
    significand,
)
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive
from tercel_hw.float32.shifts import COARSE, FINE_BITS, shift_right
from tercel_hw.float32.stages import Stages

__all__ = ["FloatToFixed"]

LARGEST_WIDTH = 32
MOST_FRACTION_BITS = 64


class FloatToFixed(Primitive):
    """``numerics.fixed``: ties to even, saturating; one a cycle, latency 5.

    The stages: distance; shift by bytes; shift by bits; round; negate and saturate.

    Parameters
    ----------
    fraction_bits
        0 to 64.
    width
        Of the signed result, 2 to 32.

    Members
    -------
    x : In(32)
    o : Out(signed(width))
        In units of ``2**-fraction_bits``.

    Raises
    ------
    TypeError
        If a parameter is no integer.
    ValueError
        If it is out of range.
    """

    LATENCY = 5

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

        # At distance 0 the leading one is the highest bit below the sign.
        largest = BIAS + width - 2 - self._fraction_bits
        x = fields(self.x)
        distance = (Const(largest) - x.exponent)[:WIDE_EXPONENT_BITS]
        placed = stages(
            value=significand(self.x),
            distance=distance[:-1],
            saturated=distance[-1],
            sign=x.sign,
        )
        # width - 1 integer bits, the guard bit, bits that are only sticky.
        room = max(width - SIGNIFICAND_BITS, 0)
        value = Cat(Const(0, room), placed.value)
        shifted, lost = shift_right(value, placed.distance[FINE_BITS : FINE_BITS + 2], COARSE)
        # So far below, it rounds to zero, sticky or not.
        far = placed.distance[FINE_BITS + 2 :].any()
        coarsely = stages(
            value=shifted & (~far).replicate(len(value)),
            sticky=lost,
            fine=placed.distance[:FINE_BITS],
            saturated=placed.saturated,
            sign=placed.sign,
        )
        shifted, lost = shift_right(coarsely.value, coarsely.fine, 1)
        below = len(value) - (width - 1)
        aligned = stages(
            integer=shifted[below:],
            guard=shifted[below - 1],
            sticky=shifted[: below - 1].any() | lost | coarsely.sticky,
            saturated=coarsely.saturated,
            sign=coarsely.sign,
        )
        up = aligned.guard & (aligned.sticky | aligned.integer[0])
        rounded = stages(
            magnitude=aligned.integer + up, saturated=aligned.saturated, sign=aligned.sign
        )
        limit = 1 << (width - 1)
        saturated = rounded.saturated | rounded.magnitude[-1]
        value = (rounded.magnitude ^ rounded.sign.replicate(width)) + rounded.sign
        extreme = Mux(rounded.sign, Const(limit, width), Const(limit - 1, width))
        m.d.comb += self.o.eq(stages(fixed=Mux(saturated, extreme, value[:width])).fixed)
        return m
