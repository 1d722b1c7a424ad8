"""The shift of a significand to a rounded integer."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed

from tercel_hw.float32.encoding import EXPONENT_BITS, SIGNIFICAND_BITS
from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.shifts import COARSE, FINE_BITS, shift_right
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import ALUMODE, XY, W, Z, opmode, select
from tercel_hw.target import Target

__all__ = ["LARGEST_WIDTH", "RoundedShift"]

LARGEST_WIDTH = 32
NEAR_BITS = (LARGEST_WIDTH - 1).bit_length()
"""Low bits of an exponent that distinguish the exponents within range."""
FACTOR_BITS = 18
CASCADE = 17
ENABLES = (
    *("CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CEM", "CEP"),
    *("CECTRL", "CEALUMODE", "CECARRYIN"),
)


class RoundedShift(Primitive):
    """``+- significand``, scaled by the exponent and rounded to an integer, ties to even.

    One a cycle, latency 4. A shift is a product with a power of two. For UltraScale+ a DSP48E2
    shifts, negates and adds a half; its pattern detector finds the ties. Above 18 bits the shift
    takes a second DSP48E2, whose cascade shifts by 17 more.

    Parameters
    ----------
    width
        Bits of an integer with its sign: 2 to 32.
    largest
        The exponent whose highest bit is ``2**(width - 2)``, at least ``width``.

    Members
    -------
    significand : In(24)
    exponent : In(8)
        Above the largest and from ``width`` below it, the result is zero.
    negative : In(1)
    o : Out(signed(width + 1))
    """

    LATENCY = 4

    significand: Signal
    exponent: Signal
    negative: Signal

    def __init__(self, *, width: int, largest: int):
        self._width = width
        self._largest = largest
        operands = {"significand": SIGNIFICAND_BITS, "exponent": EXPONENT_BITS, "negative": 1}
        super().__init__(operands, signed(width + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        if platform is not Target.ULTRASCALE_PLUS:
            result = self._portable(stages)
        elif self._width <= FACTOR_BITS:
            result = self._cell(m, stages)
        else:
            result = self._cascade(m, stages)
        m.d.comb += self.o.eq(result)
        return m

    def _within(self, exponent: Value) -> Value:
        return (exponent <= self._largest) & (exponent > self._largest - self._width)

    def _at(self, exponent: Value, below: int) -> Value:
        """Return a bit that is set if an exponent in range equals the largest minus ``below``."""
        return exponent[:NEAR_BITS] == (self._largest - below) % (1 << NEAR_BITS)

    def _portable(self, stages: Stages) -> Value:
        width = self._width
        placed = stages(
            value=self.significand & self._within(self.exponent).replicate(SIGNIFICAND_BITS),
            distance=(self._largest - self.exponent)[:NEAR_BITS],
            negative=self.negative,
        )
        # width - 1 integer bits, the guard bit, sticky bits.
        value = Cat(Const(0, max(width - SIGNIFICAND_BITS, 0)), placed.value)
        shifted, lost = shift_right(value, placed.distance[FINE_BITS:], COARSE)
        coarsely = stages(
            value=shifted,
            sticky=lost,
            fine=placed.distance[:FINE_BITS],
            negative=placed.negative,
        )
        shifted, lost = shift_right(coarsely.value, coarsely.fine, 1)
        below = len(value) - (width - 1)
        aligned = stages(
            integer=shifted[below:],
            guard=shifted[below - 1],
            sticky=shifted[: below - 1].any() | lost | coarsely.sticky,
            negative=coarsely.negative,
        )
        up = aligned.guard & (aligned.sticky | aligned.integer[0])
        # Negate and round in one addition.
        flip = aligned.negative
        flipped = Cat(aligned.integer ^ flip.replicate(width - 1), flip, flip)
        return stages(rounded=(flipped + (up ^ flip))[: width + 1]).rounded

    def _cell(self, m: Module, stages: Stages) -> Value:
        width = self._width
        given = stages(exponent=self.exponent, negative=self.negative)
        factor = Cat(self._at(given.exponent, width - 1 - place) for place in range(width))
        whole, tie = Signal(P_BITS), Signal()
        low = SIGNIFICAND_BITS
        # The power of the highest place is the signed factor's sign, so the product is negated.
        inverse = factor[FACTOR_BITS - 1] if width == FACTOR_BITS else Const(0, 1)
        subtract = stages(subtract=given.negative ^ inverse).subtract
        m.submodules.cell = dsp48e2(
            attributes={"AREG": 2, "USE_PATTERN_DETECT": "PATDET", "MASK": self._mask(low)},
            inputs={
                "A": self.significand,
                "B": factor,
                "RSTB": ~self._within(given.exponent) & self.enable,
                "C": Const(1 << low - 1, P_BITS),
                "OPMODE": opmode(xy=XY.M, z=Z.C),
                "ALUMODE": select(ALUMODE.ADD, {ALUMODE.SUBTRACT: subtract}),
                **dict.fromkeys(ENABLES, self.enable),
            },
            P=whole,
            PATTERNDETECT=tie,
        )
        return self._even(whole[low:], tie)

    def _cascade(self, m: Module, stages: Stages) -> Value:
        width = self._width
        at = [self._at(self.exponent, below) for below in range(width)]
        factor = Cat(Cat(at[place::CASCADE]).any() for place in reversed(range(CASCADE)))
        beside = stages(far=Cat(at[CASCADE:]).any(), negative=self.negative)
        beside = stages(**vars(beside))
        late = stages(**vars(beside))
        # The highest bit is at place 39 at most, where its value is 2**(width - 2).
        low = SIGNIFICAND_BITS + CASCADE - width
        product, whole = Signal(P_BITS), Signal(P_BITS)
        nothing_lost, tie = Signal(), Signal()
        enables = dict.fromkeys(ENABLES, self.enable)
        m.submodules.shift = dsp48e2(
            attributes={"USE_PATTERN_DETECT": "PATDET", "MASK": self._mask(CASCADE)},
            inputs={
                "A": self.significand,
                "B": factor,
                "RSTB": ~self._within(self.exponent) & self.enable,
                "OPMODE": opmode(xy=XY.M),
                **enables,
            },
            PCOUT=product,
            PATTERNDETECT=nothing_lost,
        )
        lost = late.far & ~nothing_lost
        m.submodules.sum = dsp48e2(
            attributes={
                "USE_MULT": "NONE",
                "MREG": 0,
                "CARRYINREG": 0,
                "USE_PATTERN_DETECT": "PATDET",
                "MASK": self._mask(low),
            },
            inputs={
                "PCIN": product,
                "C": Const(1 << low - 1, P_BITS),
                "OPMODE": opmode(z=select(Z.PCIN, {Z.PCIN_SHIFTED: beside.far}), w=W.C),
                # The carry makes up for the one that NEGATE_Z subtracts, unless lost bits do.
                "ALUMODE": select(ALUMODE.ADD, {ALUMODE.NEGATE_Z: beside.negative}),
                "CARRYIN": late.negative & ~lost,
                **enables,
            },
            P=whole,
            PATTERNDETECT=tie,
        )
        return self._even(whole[low:], tie & ~stages(lost=lost).lost)

    @staticmethod
    def _mask(bits: int) -> int:
        """Return the MASK of a pattern detector that compares the lowest bits only."""
        return (1 << P_BITS) - (1 << bits)

    def _even(self, value: Value, tie: Value) -> Value:
        return Cat(value[0] & ~tie, value[1 : self._width + 1])
