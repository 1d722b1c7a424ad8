"""The weight of one score and its term of the denominator."""

from functools import reduce
from operator import or_

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory

from tercel.numerics.attention import SCORE_BITS, SUM_SHIFT, WEIGHT_SHIFT
from tercel.numerics.functions import EXP2_FRACTION_BITS, exp2_significands
from tercel_hw.dense import WEIGHT_BITS
from tercel_hw.float32 import Primitive, Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import XY, Z, opmode
from tercel_hw.target import Target

__all__ = ["TERM_BITS", "WeightLane"]

TERM_BITS = 20
"""Width of a term, of which the largest is 2^19."""
SIGNIFICAND_BITS = 16
NEAR_BITS = 5
"""Bits of a shift that matter: if a higher one is set, the result is zero."""
FARTHEST = (1 << NEAR_BITS) - 1
LAST_PLACE = 18
"""The largest shift after which a weight may be other than zero."""
FACTOR_BITS = 8 + LAST_PLACE
ENABLES = ("CEA1", "CEA2", "CEB1", "CEB2", "CEM", "CEP")


class WeightLane(Primitive):
    """The integers of ``numerics.attend`` for one query and position; one a cycle, latency 5.

    The stages: distances from the maxima; table, in half of a block RAM, and shifts; and three
    that multiply, shift and round, for UltraScale+ the registers of two DSP48E2.
    ``(x + half) >> s`` is ``((x >> s - 1) + 1) >> 1``.

    Members
    -------
    score, maximum : In(signed(18))
        The score of a visible position is at most the maximum.
    exponent, largest : In(8)
        Biased exponents: of this position's value scale, and the largest of a visible position.
    mantissa : In(8)
        Mantissa of the value scale, with its hidden bit.
    visible : In(1)
        The query sees the position; else both results are zero.
    o : Out(StructLayout({"term": 20, "weight": 17}))
    """

    LATENCY = 5

    score: Signal
    maximum: Signal
    exponent: Signal
    largest: Signal
    mantissa: Signal
    visible: Signal
    o: data.View

    def __init__(self):
        operands = {
            "score": signed(SCORE_BITS),
            "maximum": signed(SCORE_BITS),
            "exponent": 8,
            "largest": 8,
            "mantissa": 8,
            "visible": 1,
        }
        super().__init__(operands, data.StructLayout({"term": TERM_BITS, "weight": WEIGHT_BITS}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        m.submodules.table = table = memory.Memory(
            shape=unsigned(SIGNIFICAND_BITS),
            depth=1 << EXP2_FRACTION_BITS,
            init=np.roll(exp2_significands()[::-1], 1).tolist(),
            attrs={"rom_style": "block"},
        )
        read = table.read_port()

        apart = stages(
            below=self.maximum - self.score,
            deeper=(self.largest - self.exponent)[:8],
            mantissa=self.mantissa,
            visible=self.visible,
        )
        # below = -(t - M): its fraction is the negated one of t, as in the table; its octaves are
        # rounded up.
        fraction = apart.below[:EXP2_FRACTION_BITS]
        m.d.comb += [read.addr.eq(fraction), read.en.eq(self.enable)]
        octaves = Cat(fraction.any(), apart.below[EXP2_FRACTION_BITS : SCORE_BITS + 1])
        shifts = stages(
            term=(octaves + octaves[0])[1:],
            weight=(octaves + Cat(octaves[0], apart.deeper))[1:],
            mantissa=apart.mantissa,
            visible=apart.visible,
        )
        if platform is Target.ULTRASCALE_PLUS:
            self._cells(m, shifts, read.data)
        else:
            self._portable(m, stages, shifts, read.data)
        return m

    def _portable(self, m: Module, stages: Stages, shifts, significand: Value) -> None:
        terms = stages(
            twice_term=(significand << (SUM_SHIFT + 1)) >> self._limited(shifts.term),
            product=significand * shifts.mantissa,
            weight_shift=self._limited(shifts.weight),
            visible=shifts.visible,
        )
        weights = stages(
            twice_weight=(terms.product >> (WEIGHT_SHIFT - 1)) >> terms.weight_shift,
            twice_term=terms.twice_term,
            visible=terms.visible,
        )
        weight = (weights.twice_weight + 1) >> 1
        term = (weights.twice_term + 1) >> 1
        result = stages(
            weight=weight[:WEIGHT_BITS] & weights.visible.replicate(WEIGHT_BITS),
            term=term[:TERM_BITS] & weights.visible.replicate(TERM_BITS),
        )
        m.d.comb += [self.o.term.eq(result.term), self.o.weight.eq(result.weight)]

    @staticmethod
    def _limited(shift):
        return Mux(shift > FARTHEST, FARTHEST, shift)[:NEAR_BITS]

    def _cells(self, m: Module, shifts, significand: Value) -> None:
        """Compute each result as a product with a power of two, whose low bits are dropped."""
        near = shifts.term[:NEAR_BITS]
        power = Cat(near == TERM_BITS - place for place in range(TERM_BITS + 1))
        # Left by 18 - shift: by up to 3, and by multiples of 4.
        finely = (shifts.mantissa << ~shifts.weight[:2]) << 15
        by_fours = [
            (finely >> 4 * step) & (shifts.weight[2:NEAR_BITS] == step).replicate(len(finely))
            for step in range(5)
        ]
        mantissa = reduce(or_, by_fours)[:FACTOR_BITS]
        for name, factor, shift, result, place in (
            ("term", power, shifts.term, self.o.term, SIGNIFICAND_BITS),
            ("weight", mantissa, shifts.weight, self.o.weight, LAST_PLACE + WEIGHT_SHIFT),
        ):
            product = Signal(P_BITS, name=f"{name}_product")
            m.submodules[name] = dsp48e2(
                attributes={},
                inputs={
                    "A": factor,
                    "B": significand,
                    "RSTA": (~shifts.visible | shift[NEAR_BITS:].any()) & self.enable,
                    "C": Const(1 << place - 1, P_BITS),
                    "OPMODE": opmode(xy=XY.M, z=Z.C),
                    **dict.fromkeys(ENABLES, self.enable),
                },
                P=product,
            )
            m.d.comb += result.eq(product[place:])
