"""A score's weight and its term of the denominator."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory

from tercel.numerics.attention import SCORE_BITS, SUM_SHIFT, WEIGHT_SHIFT
from tercel.numerics.functions import EXP2_FRACTION_BITS, exp2_significands
from tercel_hw.dense import WEIGHT_BITS
from tercel_hw.float32 import Primitive, Stages

__all__ = ["TERM_BITS", "WeightLane"]

TERM_BITS = 20
"""The largest term is 2^19."""
SIGNIFICAND_BITS = 16
FARTHEST = 31
"""A shift that leaves nothing."""


class WeightLane(Primitive):
    """The integers of ``numerics.attend`` for one query and position; one a cycle, latency 5.

    The stages: distances from the maxima; table and shifts; product and term shifted; weight
    shifted; rounding. ``(x + half) >> s`` is ``((x >> s - 1) + 1) >> 1``.

    Members
    -------
    score, maximum : In(signed(18))
        Of a visible position, the score is not above the maximum.
    exponent, largest : In(8)
        Biased, of this position's value scale and of the largest visible one.
    mantissa : In(8)
        Of the value scale, with its hidden bit.
    visible : In(1)
        If not, both results are zero.
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
            init=exp2_significands().tolist(),
        )
        read = table.read_port()

        apart = stages(
            below=self.maximum - self.score,
            deeper=(self.largest - self.exponent)[:8],
            mantissa=self.mantissa,
            visible=self.visible,
        )
        # below = -(t - M): its fraction is the table's index negated, its octaves are rounded up.
        fraction = apart.below[:EXP2_FRACTION_BITS]
        octaves = apart.below[EXP2_FRACTION_BITS : SCORE_BITS + 1] + fraction.any()
        m.d.comb += [read.addr.eq((-fraction)[:EXP2_FRACTION_BITS]), read.en.eq(self.enable)]
        shifts = stages(
            term_shift=self._limited(octaves),
            weight_shift=self._limited(octaves + apart.deeper),
            mantissa=apart.mantissa,
            visible=apart.visible,
        )
        terms = stages(
            twice_term=(read.data << (SUM_SHIFT + 1)) >> shifts.term_shift,
            product=read.data * shifts.mantissa,
            weight_shift=shifts.weight_shift,
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
        return m

    @staticmethod
    def _limited(shift):
        return Mux(shift > FARTHEST, FARTHEST, shift)[:5]
