"""The conversion of a stored row's element to float32."""

from amaranth.hdl import Module, Mux, Signal

from tercel_hw.float32 import IntToFloat, Multiplier, Primitive, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["ElementValue"]

INT8_BITS = 8


class ElementValue(Primitive):
    """``float32(int8) * scale``, or a float times scale; one a cycle, latency 13.

    Members
    -------
    bits : In(32)
        A float, or an integer in the lowest byte.
    integer, scale : In(1), In(32)
        Constant while operands are in the pipeline.
    o : Out(32)
    """

    LATENCY = 1 + IntToFloat.LATENCY + Multiplier.LATENCY

    bits: Signal
    integer: Signal
    scale: Signal

    def __init__(self):
        operands = {"bits": FLOAT32_BITS, "integer": 1, "scale": FLOAT32_BITS}
        super().__init__(operands, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        converter = IntToFloat(width=INT8_BITS)
        # The element is selected from a word before.
        bits = stages(bits=self.bits).bits
        byte = bits[:INT8_BITS].as_signed()
        converted = attach(m, "converted", converter, self.enable, x=byte)
        plain = stages.delay(bits, IntToFloat.LATENCY, "plain")
        x = Mux(self.integer, converted, plain)
        m.d.comb += self.o.eq(attach(m, "value", Multiplier(), self.enable, a=x, b=self.scale))
        return m
