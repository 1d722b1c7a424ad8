"""Exact sums to outputs."""

from amaranth.hdl import Module
from amaranth.lib import data

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.dense import TOTAL_BITS
from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["OutputLanes"]


class OutputLanes(Primitive):
    """``float32(sum) * scale`` in the columns of a dense engine; one element a cycle, latency 12.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    sums : In(columns * signed(37))
    scales : In(columns * 32)
    o : Out(columns * 32)
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY

    sums: data.View
    scales: data.View
    o: data.View

    def __init__(self, config: AttentionConfig):
        self._config = config
        floats = data.ArrayLayout(FLOAT32_BITS, config.dense.columns)
        operands = {"sums": config.dense.totals.members["sums"], "scales": floats}
        super().__init__(operands, floats)

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        for lane in range(self._config.dense.columns):
            converter = IntToFloat(width=TOTAL_BITS)
            x = attach(m, f"float{lane}", converter, self.enable, x=self.sums[lane])
            scale = stages.delay(self.scales[lane], IntToFloat.LATENCY, f"scale{lane}")
            value = attach(m, f"value{lane}", Multiplier(), self.enable, a=x, b=scale)
            m.d.comb += self.o[lane].eq(value)
        return m
