"""The conversion of exact sums to float32 outputs, for all lanes."""

from amaranth.hdl import Module
from amaranth.lib import data

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.dense import TOTAL_BITS
from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach

__all__ = ["OutputLanes"]


class OutputLanes(Primitive):
    """``float32(sum) * scale`` in K lanes; one element a cycle, latency 12.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    sums : In(K * signed(37))
    scales, o : In, Out(config.floats)
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY

    sums: data.View
    scales: data.View
    o: data.View

    def __init__(self, config: AttentionConfig):
        self._config = config
        sums = config.dense.totals_read.members["sums"]
        super().__init__({"sums": sums, "scales": config.floats}, config.floats)

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        for lane in range(self._config.nodes):
            converter = IntToFloat(width=TOTAL_BITS)
            x = attach(m, f"float{lane}", converter, self.enable, x=self.sums[lane])
            scale = stages.delay(self.scales[lane], IntToFloat.LATENCY, f"scale{lane}")
            value = attach(m, f"value{lane}", Multiplier(), self.enable, a=x, b=scale)
            m.d.comb += self.o[lane].eq(value)
        return m
