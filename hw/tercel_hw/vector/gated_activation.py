"""The pipeline of a gate's activation times its up."""

from amaranth.hdl import Cat, Module, Mux, Signal

from tercel_hw.float32 import Multiplier, Primitive, Sigmoid, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["GatedActivation"]


class GatedActivation(Primitive):
    """``multiply(silu(gate), up)`` or ``multiply(relu2(gate), up)``; one a cycle, latency 44.

    Both activations are products and share a multiplier.

    Members
    -------
    squared : In(1)
        Use ``relu2`` instead of ``silu``.
    gate, up : In(32)
    o : Out(32)
    """

    LATENCY = Sigmoid.LATENCY + 2 * Multiplier.LATENCY

    squared: Signal
    gate: Signal
    up: Signal

    def __init__(self):
        operands = {"squared": 1, "gate": FLOAT32_BITS, "up": FLOAT32_BITS}
        super().__init__(operands, FLOAT32_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable = self.enable
        stages = Stages(m, enable)
        sigmoid = attach(m, "sigmoid", Sigmoid(), enable, x=self.gate)
        gate = stages.delay(self.gate, Sigmoid.LATENCY, "gate")
        squared = stages.delay(self.squared, Sigmoid.LATENCY, "squared")
        positive = gate & (~gate[-1]).replicate(FLOAT32_BITS)
        activation = attach(
            m,
            "activation",
            Multiplier(),
            enable,
            # A gate that is not positive is multiplied by zero.
            a=Cat(gate[:-1], gate[-1] & ~squared),
            b=Mux(squared, positive, sigmoid),
        )
        up = stages.delay(self.up, Sigmoid.LATENCY + Multiplier.LATENCY, "up")
        m.d.comb += self.o.eq(attach(m, "product", Multiplier(), enable, a=activation, b=up))
        return m
