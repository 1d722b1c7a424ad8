"""The scaling of the head's sums to unscaled logits."""

from amaranth.hdl import Module, Mux, Signal, signed

from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.row_scale import ONE

__all__ = ["LogitScale"]


class LogitScale(Primitive):
    """``u = float32(sum) * row_scale`` of ``numerics.head_logits``; one a cycle, latency 12.

    Parameters
    ----------
    sum_bits
        Width of the sum.
    ternary
        True if logits of ternary heads, which are scaled already, pass too.

    Members
    -------
    sum : In(signed(sum_bits))
    row_scale : In(32)
    scaled, u : In(1), In(32)
        If ``scaled``, ``o`` is ``u``; only with ``ternary``.
    o : Out(32)
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY

    sum: Signal
    row_scale: Signal
    scaled: Signal
    u: Signal

    def __init__(self, *, sum_bits: int, ternary: bool = False):
        self._sum_bits = sum_bits
        self._ternary = ternary
        operands = {"sum": signed(sum_bits), "row_scale": FLOAT32_BITS}
        if ternary:
            operands |= {"scaled": 1, "u": FLOAT32_BITS}
        super().__init__(operands, FLOAT32_BITS)

    @property
    def sum_bits(self) -> int:
        return self._sum_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        x = attach(m, "float", IntToFloat(width=self._sum_bits), self.enable, x=self.sum)
        row_scale = self.row_scale
        if self._ternary:
            scaled, u = (
                stages.delay(value, IntToFloat.LATENCY, name)
                for name, value in (("scaled", self.scaled), ("u", self.u))
            )
            x, row_scale = Mux(scaled, u, x), Mux(self.scaled, ONE, row_scale)
        row_scale = stages.delay(row_scale, IntToFloat.LATENCY, "row_scale")
        m.d.comb += self.o.eq(attach(m, "product", Multiplier(), self.enable, a=x, b=row_scale))
        return m
