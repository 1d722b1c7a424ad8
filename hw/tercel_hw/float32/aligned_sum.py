"""The sum or difference of two significands of different exponents."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from tercel_hw.float32.encoding import EXPONENT_BITS, SIGNIFICAND_BITS
from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import ALUMODE, INMODE, XY, Z, opmode, select
from tercel_hw.target import Target

__all__ = ["TOTAL_BITS", "AlignedSum"]

FINE = 17
"""Number of shift distances of a signed factor of 18 bits; the cascade shifts by the rest."""
FRACTION_BITS = FINE - 1
BELOW = 14
"""Lowest bits of the sum, which count only as sticky: a significand and two bits are kept."""
TOTAL_BITS = SIGNIFICAND_BITS + 1 + FRACTION_BITS - BELOW
HIGH = 16
"""Highest bits of the sum, which are all zero if a coarse normalisation step is due."""
ONE = 1 << FRACTION_BITS
ENABLES = ("CEA1", "CEA2", "CEB1", "CEB2", "CED", "CEAD", "CEM", "CEP")
CONTROL_ENABLES = ("CECTRL", "CEALUMODE", "CECARRYIN", "CEINMODE")


class AlignedSum(Primitive):
    """``big +- small * 2**-distance``; one a cycle, latency 4.

    A shift is a product with a power of two. For UltraScale+ two DSP48E2 do everything but compute
    that power: the pre-adders swap the operands, the first cell shifts by 0 to 16 bits, the cascade
    by 17 more, the second cell adds, and the pattern detectors look for zeros. The first multiplier
    has no register, because the second cell needs its result a cycle earlier.

    Members
    -------
    a, b : In(24)
    swap : In(1)
        ``b`` is the bigger operand.
    distance : In(8)
        Difference of the exponents; from 34 on the smaller operand counts as zero.
    vanishing : In(1)
        The smaller operand counts as zero.
    subtract : In(1)
    o : Out(StructLayout({"total": 27, "short": 1, "below": 1, "lost": 1}))
        ``total`` is the sum modulo 4 in units of 2^-25, where the bigger operand's highest bit is
        1. ``short`` is set if its highest 16 bits are zero, ``below`` if a bit below it is set,
        ``lost`` if a bit of the smaller operand below 2^-39 was cut off.
    """

    LATENCY = 4

    a: Signal
    b: Signal
    swap: Signal
    distance: Signal
    vanishing: Signal
    subtract: Signal
    o: data.View

    def __init__(self):
        operands = {
            "a": SIGNIFICAND_BITS,
            "b": SIGNIFICAND_BITS,
            "swap": 1,
            "distance": EXPONENT_BITS,
            "vanishing": 1,
            "subtract": 1,
        }
        super().__init__(
            operands, data.StructLayout({"total": TOTAL_BITS, "short": 1, "below": 1, "lost": 1})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        first = stages(distance=self.distance, vanishing=self.vanishing, subtract=self.subtract)
        near = first.distance[:6]
        power = Cat((near == shift) | (near == shift + FINE) for shift in reversed(range(FINE)))
        far = first.vanishing | first.distance[6:].any()
        second = stages(coarse=near >= FINE, subtract=first.subtract)
        if platform is Target.ULTRASCALE_PLUS:
            self._cells(m, stages, power, far, second)
        else:
            self._portable(m, stages, power, far, second)
        return m

    def _portable(self, m: Module, stages: Stages, power: Value, far: Value, second) -> None:
        given = stages(a=self.a, b=self.b, swap=self.swap)
        ordered = stages(
            big=Mux(given.swap, given.b, given.a),
            small=Mux(given.swap, given.a, given.b),
            power=power & (~far).replicate(FINE),
        )
        shifted = stages(
            small=ordered.small * ordered.power,
            big=ordered.big,
            coarse=second.coarse,
            subtract=second.subtract,
        )
        big = shifted.big << FRACTION_BITS
        small = Mux(shifted.coarse, shifted.small >> FINE, shifted.small)
        total = Mux(shifted.subtract, big - small, big + small)[: TOTAL_BITS + BELOW]
        summed = stages(
            total=total[BELOW:],
            short=~total[-HIGH:].any(),
            below=total[:BELOW].any(),
            lost=shifted.coarse & shifted.small[:FINE].any(),
        )
        m.d.comb += [getattr(self.o, name).eq(value) for name, value in vars(summed).items()]

    def _cells(self, m: Module, stages: Stages, power: Value, far: Value, second) -> None:
        width = TOTAL_BITS + BELOW
        cascade, total = Signal(P_BITS), Signal(P_BITS)
        nothing_lost = Signal()
        enables = dict.fromkeys((*ENABLES, *CONTROL_ENABLES), self.enable)
        # Both cells take D instead of A where b is the bigger one.
        choice = select(INMODE.A2, {INMODE.D: self.swap})
        common: dict[str, int | str] = {"AMULTSEL": "AD", "USE_PATTERN_DETECT": "PATDET"}
        m.submodules.shift = dsp48e2(
            attributes={**common, "MREG": 0, "MASK": (1 << P_BITS) - (1 << FINE)},
            inputs={
                "A": self.b,
                "D": self.a,
                "INMODE": choice,
                "B": power,
                "RSTB": far & self.enable,
                "OPMODE": opmode(xy=XY.M),
                **enables,
            },
            PCOUT=cascade,
            PATTERNDETECT=nothing_lost,
        )
        m.submodules.sum = dsp48e2(
            attributes={**common, "MASK": (1 << P_BITS) - (1 << width) + (1 << width - HIGH) - 1},
            inputs={
                "A": self.a,
                "D": self.b,
                "INMODE": choice,
                "B": Const(ONE, FINE),
                "PCIN": cascade,
                "OPMODE": opmode(xy=XY.M, z=select(Z.PCIN, {Z.PCIN_SHIFTED: second.coarse})),
                # The carry makes up for the one that NEGATE_Z subtracts.
                "ALUMODE": select(ALUMODE.ADD, {ALUMODE.NEGATE_Z: second.subtract}),
                "CARRYIN": second.subtract,
                **enables,
            },
            P=total,
            PATTERNDETECT=self.o.short,
        )
        coarse = stages(coarse=second.coarse).coarse
        m.d.comb += [
            self.o.total.eq(total[BELOW:]),
            self.o.below.eq(total[:BELOW].any()),
            self.o.lost.eq(stages(lost=coarse & ~nothing_lost).lost),
        ]
