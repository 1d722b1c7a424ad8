"""The scaling of the head's sums to unscaled logits."""

from amaranth.hdl import Module, Signal, signed

from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["LogitScale"]


class LogitScale(Primitive):
    """``u = float32(sum) * row_scale`` of ``numerics.head_logits``; one a cycle, latency 12.

    Parameters
    ----------
    sum_bits
        Width of the sum.

    Members
    -------
    sum : In(signed(sum_bits))
    row_scale : In(32)
    o : Out(32)
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY

    sum: Signal
    row_scale: Signal

    def __init__(self, *, sum_bits: int):
        self._sum_bits = sum_bits
        super().__init__({"sum": signed(sum_bits), "row_scale": FLOAT32_BITS}, FLOAT32_BITS)

    @property
    def sum_bits(self) -> int:
        return self._sum_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        x = attach(m, "float", IntToFloat(width=self._sum_bits), self.enable, x=self.sum)
        row_scale = stages.delay(self.row_scale, IntToFloat.LATENCY, "row_scale")
        m.d.comb += self.o.eq(attach(m, "product", Multiplier(), self.enable, a=x, b=row_scale))
        return m
