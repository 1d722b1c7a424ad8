"""A head's sums to unscaled logits."""

from amaranth.hdl import Module, Signal, signed

from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import SUM_BITS

__all__ = ["LogitScale"]


class LogitScale(Primitive):
    """``u = float32(sum) * row_scale``, of which ``numerics.head_logits`` is made; latency 12.

    Members
    -------
    sum : In(signed(32))
    row_scale : In(32)
    o : Out(32)
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY

    sum: Signal
    row_scale: Signal

    def __init__(self):
        super().__init__({"sum": signed(SUM_BITS), "row_scale": FLOAT32_BITS}, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        x = attach(m, "float", IntToFloat(width=SUM_BITS), self.enable, x=self.sum)
        row_scale = stages.delay(self.row_scale, IntToFloat.LATENCY, "row_scale")
        m.d.comb += self.o.eq(attach(m, "product", Multiplier(), self.enable, a=x, b=row_scale))
        return m
