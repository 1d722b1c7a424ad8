"""Float32 addition."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from tercel_hw.float32.aligned_sum import AlignedSum
from tercel_hw.float32.encoding import INFINITE, fields
from tercel_hw.float32.normaliser import Normaliser
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounding import judge, pack, round_to_float
from tercel_hw.float32.stages import Stages

__all__ = ["Adder"]


class Adder(Primitive):
    """``numerics.add``: the sum rounded once and flushed; one a cycle, latency 8.

    Stages: four for the significands' sum, the first of which also compares; two that normalise;
    round; compose. The sum of opposite infinities, NaN in IEEE 754, is the positive one here.

    Parameters
    ----------
    magnitudes
        True if no operand is negative: signs are ignored, and the sum needs no normalisation.

    Members
    -------
    a, b : In(32)
    o : Out(32)
    """

    LATENCY = AlignedSum.LATENCY + Normaliser.LATENCY + 2

    a: Signal
    b: Signal

    def __init__(self, *, magnitudes: bool = False):
        self._magnitudes = magnitudes
        super().__init__({"a": FLOAT32_BITS, "b": FLOAT32_BITS}, FLOAT32_BITS)

    @property
    def magnitudes(self) -> bool:
        return self._magnitudes

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.enable
        stages = Stages(m, enable)
        a, b = fields(self.a), fields(self.b)

        swap = self.a[:-1] < self.b[:-1]
        sign, subtract = Mux(swap, b.sign, a.sign), a.sign ^ b.sign
        if self._magnitudes:
            sign, subtract = Const(0, 1), Const(0, 1)
        exponent = Mux(swap, b.exponent, a.exponent)
        lower = Mux(swap, a.exponent, b.exponent)
        aligned = AlignedSum()
        attach(
            m,
            "sum",
            aligned,
            enable,
            a=Cat(a.mantissa, Const(1, 1)),
            b=Cat(b.mantissa, Const(1, 1)),
            swap=swap,
            distance=(exponent - lower)[: len(exponent)],
            vanishing=~Mux(swap, a.exponent.any(), b.exponent.any()),
            subtract=subtract,
        )
        beside = stages(exponent=exponent, sign=sign, subtract=subtract)
        beside = stages(
            exponent=beside.exponent,
            sign=beside.sign,
            subtract=beside.subtract,
            zero=~beside.exponent.any(),
            infinite=beside.exponent == INFINITE,
        )
        beside = stages(**vars(beside))
        beside = stages(**vars(beside))
        # The bias is raised by 128, so that no exponent is negative.
        shifted = Cat(beside.exponent[:-1], ~beside.exponent[-1], beside.exponent[-1])
        if self._magnitudes:
            x = stages.delay(aligned.o.total, Normaliser.LATENCY, "x")
            exponent = stages.delay(shifted, Normaliser.LATENCY, "exponent")
        else:
            x, exponent = self._normal(m, aligned, shifted)
        beside = stages(
            sign=beside.sign,
            zero=beside.zero,
            infinite=beside.infinite,
            subtract=beside.subtract,
            below=aligned.o.below | (aligned.o.lost & ~beside.subtract),
            tie_down=aligned.o.lost & beside.subtract,
        )
        beside = stages(**vars(beside))
        zero = beside.zero | ~x[-2:].any()
        exact = SimpleNamespace(
            significand=Cat(x[0] | beside.below, x[1:]),
            exponent=exponent,
            # A sum that is not normal is exact.
            least=Const(0, 2),
            tie_down=beside.tie_down,
            sign=beside.sign & ~(zero & beside.subtract),
            zero=zero,
            infinite=beside.infinite,
        )
        rounded = round_to_float(stages, exact)
        m.d.comb += self.o.eq(stages(float=pack(**judge(rounded))).float)
        return m

    def _normal(self, m: Module, aligned: AlignedSum, exponent: Value) -> tuple[Value, Value]:
        """Return the sum, normalised to a leading one in the two highest bits, and its exponent."""
        normaliser = Normaliser(spacing=2)
        attach(
            m,
            "normaliser",
            normaliser,
            self.enable,
            x=aligned.o.total,
            coarse=aligned.o.short,
            exponent=exponent,
        )
        return normaliser.o.x, normaliser.o.exponent
