"""Sums of a head's row to unscaled and to base-2 logits."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel_hw.float32 import FloatToFixed, IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import EXPONENT_BITS, SUM_BITS, HeadConfig

__all__ = ["LogitScale"]


class LogitScale(Primitive):
    """``u = float32(sum) * row_scale`` and ``t = fixed(u * node_scale)``; one row a cycle.

    Latency 24. ``u`` is ``numerics.head_logits``; with ``node_scale = scale * log2e``, ``t`` is
    the base-2 logit that ``numerics.exponential_sum`` takes. Wrap it in a ``StreamPipeline``.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    sums : In(config.sums)
    row_scale : In(32)
    node_scales : In(config.floats)
    o : Out(StructLayout({"values": config.floats, "exponents": config.exponents}))
    """

    LATENCY = IntToFloat.LATENCY + 2 * Multiplier.LATENCY + FloatToFixed.LATENCY

    sums: data.View
    row_scale: Signal
    node_scales: data.View
    o: data.View

    def __init__(self, config: HeadConfig):
        self._config = config
        operands = {
            "sums": config.sums,
            "row_scale": FLOAT32_BITS,
            "node_scales": config.floats,
        }
        result = {"values": config.floats, "exponents": config.exponents}
        super().__init__(operands, data.StructLayout(result))

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        row_scale = stages.delay(self.row_scale, IntToFloat.LATENCY, "row_scale")
        unscaled = IntToFloat.LATENCY + Multiplier.LATENCY
        for lane in range(self._config.nodes):
            x = attach(
                m, f"float{lane}", IntToFloat(width=SUM_BITS), self.enable, x=self.sums[lane]
            )
            value = attach(m, f"value{lane}", Multiplier(), self.enable, a=x, b=row_scale)
            scale = stages.delay(self.node_scales[lane], unscaled, f"scale{lane}")
            scaled = attach(m, f"scaled{lane}", Multiplier(), self.enable, a=value, b=scale)
            converter = FloatToFixed(fraction_bits=EXP2_FRACTION_BITS, width=EXPONENT_BITS)
            exponent = attach(m, f"fixed{lane}", converter, self.enable, x=scaled)
            late = stages.delay(value, self.LATENCY - unscaled, f"late{lane}")
            m.d.comb += [self.o.values[lane].eq(late), self.o.exponents[lane].eq(exponent)]
        return m
