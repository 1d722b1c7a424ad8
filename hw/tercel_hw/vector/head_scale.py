"""The factors of a quantised head."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from tercel.numerics.quantise import INVERSE_LIMIT, LIMIT
from tercel_hw.float32 import Bfloat16Up, Multiplier, Primitive, Reciprocal, Stages, attach
from tercel_hw.float32.encoding import INFINITE, fields
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.row_scale import ONE
from tercel_hw.vector.row_unit import LARGEST

__all__ = ["HEAD_FACTORS", "HeadScale"]

HEAD_FACTORS = data.StructLayout({"unit": FLOAT32_BITS, "scale": FLOAT32_BITS})
"""The factor of an element, and the value of one unit of its integer."""


class HeadScale(Primitive):
    """Factors of ``numerics.quantise``, or of ``quantise_cache`` for the cache.

    One a cycle, of either kind; latency 21, or 28 with norms. ``scale = maximum / 127``, for the
    cache rounded up to a bfloat16. ``unit = 127 / maximum``, saturated; for the cache
    ``1 / scale``, which cannot overflow. With norms the scale is multiplied by the factor of the
    head's norm before it is rounded up, and so is the unit of the cache.

    Parameters
    ----------
    norms
        True if heads may be normed.

    Members
    -------
    maximum : In(32)
        The head's largest magnitude.
    cache : In(1)
    factor : In(32)
        The inverse root mean square, or 1. Only with norms.
    o : Out(HEAD_FACTORS)
    """

    LATENCY = Multiplier.LATENCY + Bfloat16Up.LATENCY + Reciprocal.LATENCY + Multiplier.LATENCY
    NORM_LATENCY = Multiplier.LATENCY
    """Cycles more with norms."""

    maximum: Signal
    cache: Signal
    factor: Signal
    o: data.View

    def __init__(self, *, norms: bool = False):
        self._norms = norms
        operands = {"maximum": FLOAT32_BITS, "cache": 1}
        super().__init__({**operands, "factor": FLOAT32_BITS} if norms else operands, HEAD_FACTORS)

    @property
    def latency(self) -> int:
        return self.LATENCY + self._norms * self.NORM_LATENCY

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable, stages = self.enable, Stages(m, self.enable)
        until_scale = self.latency - Reciprocal.LATENCY - Multiplier.LATENCY
        inverse_limit = Const(int(INVERSE_LIMIT.view("uint32")), FLOAT32_BITS)
        limit = Const(int(LIMIT.view("uint32")), FLOAT32_BITS)

        exact = attach(m, "exact", Multiplier(), enable, a=self.maximum, b=inverse_limit)
        factor: Value = Const(ONE, FLOAT32_BITS)
        if self._norms:
            factor = stages.delay(self.factor, Multiplier.LATENCY, "factor")
            exact = attach(m, "normed", Multiplier(), enable, a=exact, b=factor)
            late = until_scale - Multiplier.LATENCY + Reciprocal.LATENCY
            factor = stages.delay(factor, late, "late_factor")
        rounded = attach(m, "rounded", Bfloat16Up(), enable, x=exact)
        maximum = stages.delay(self.maximum, until_scale, "maximum")
        cache = stages.delay(self.cache, until_scale, "cache")
        rounded_float = Cat(Const(0, FLOAT32_BITS - len(rounded)), rounded)
        scale = Mux(cache, rounded_float, stages(exact=exact).exact)

        divisor = Mux(cache, rounded_float, maximum)
        inverse = attach(m, "inverse", Reciprocal(), enable, x=divisor)
        factor = Mux(stages.delay(cache, Reciprocal.LATENCY, "late_cache"), factor, limit)
        unit = attach(m, "unit", Multiplier(), enable, a=inverse, b=factor)
        infinite = fields(unit).exponent == INFINITE
        m.d.comb += [
            self.o.unit.eq(Mux(infinite, LARGEST, unit)),
            self.o.scale.eq(stages.delay(scale, self.latency - until_scale, "scale")),
        ]
        return m
