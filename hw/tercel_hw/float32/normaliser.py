"""The normaliser, which shifts a number's leading one to the highest places."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import XY, opmode
from tercel_hw.target import Target

__all__ = ["COARSE_BITS", "EXPONENT_BITS", "NORMAL_BITS", "Normaliser", "power_of_shift"]

NORMAL_BITS = 27
"""Bits of the number and of the result: the wide factor of a DSP48E2."""
COARSE_BITS = 16
"""Places of the coarse step; the other factor, a power of two, shifts by up to one less."""
EXPONENT_BITS = 9


class Normaliser(Primitive):
    """Shifts a leading one up to the highest ``spacing`` bits; one a cycle, latency 2.

    The shift by up to 15 bits is a product with a power of two, for UltraScale+ in a DSP48E2
    without a register in the multiplier.

    Parameters
    ----------
    spacing
        Granularity of the shifts: 1, or 2 if the next stage normalises by the last place.
    given
        True if the stage before knows the power: then it is an input.

    Members
    -------
    x : In(27)
    coarse : In(1)
        Set if the highest 16 bits of ``x`` are zero.
    power : In(16)
        :func:`power_of_shift` after the coarse step; only if ``given``.
    exponent : In(9)
    o : Out(StructLayout({"x": 27, "exponent": 9}))
        The shifted ``x``; the exponent minus the places, undefined if ``x`` is zero.

    Raises
    ------
    ValueError
        If the spacing is neither 1 nor 2.
    """

    LATENCY = 2

    x: Signal
    coarse: Signal
    power: Signal
    exponent: Signal
    o: data.View

    def __init__(self, *, spacing: int, given: bool = False):
        if spacing not in (1, 2):
            raise ValueError(f"spacing must be 1 or 2, not {spacing!r}")
        self._spacing = spacing
        self._given = given
        power = {"power": COARSE_BITS} if given else {}
        super().__init__(
            {"x": NORMAL_BITS, "coarse": 1, **power, "exponent": EXPONENT_BITS},
            data.StructLayout({"x": NORMAL_BITS, "exponent": EXPONENT_BITS}),
        )

    @property
    def spacing(self) -> int:
        return self._spacing

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        low = NORMAL_BITS - COARSE_BITS
        # The coarse step copies bits upwards; the copies below are cleared at the output.
        moved = self.x[:low] & self.coarse.replicate(low)
        x = Cat(self.x[:COARSE_BITS], self.x[COARSE_BITS:] | moved)
        power = self.power if self._given else power_of_shift(x, self._spacing)
        places = stages(power=power, coarse=self.coarse, exponent=self.exponent)
        zeros = [
            Cat(bit for shift, bit in enumerate(places.power) if shift >> place & 1).any()
            for place in range((COARSE_BITS - 1).bit_length())
        ]
        less = places.exponent - Cat(zeros, places.coarse)
        late = stages(exponent=less[:EXPONENT_BITS], coarse=places.coarse)
        if platform is Target.ULTRASCALE_PLUS:
            product = Signal(P_BITS)
            enables = ("CEA1", "CEA2", "CEB1", "CEB2", "CEP")
            m.submodules.cell = dsp48e2(
                attributes={"MREG": 0},
                inputs={
                    "A": x,
                    "B": power,
                    "OPMODE": opmode(xy=XY.M),
                    **dict.fromkeys(enables, self.enable),
                },
                P=product,
            )
        else:
            product = stages(product=stages(x=x).x * places.power).product
        m.d.comb += [
            self.o.x.eq(
                Cat(product[:low] & (~late.coarse).replicate(low), product[low:NORMAL_BITS])
            ),
            self.o.exponent.eq(late.exponent),
        ]
        return m


def power_of_shift(x: Value, spacing: int) -> Value:
    """Return two to the power of the shift; zero without a one in the highest 16 bits."""
    pairs = [(x[-1 - place], x[-2 - place]) for place in range(0, COARSE_BITS, 2)]
    ones = [upper | lower for upper, lower in pairs]
    power = []
    for index, (upper, lower) in enumerate(pairs):
        # A wide gate for each pair: a chain through all pairs would be as deep as it is long.
        free = ~Cat(ones[:index]).any()
        if spacing == 1:
            power += [free & upper, free & ~upper & lower]
        else:
            power += [free & ones[index], Const(0, 1)]
    return Cat(power)
