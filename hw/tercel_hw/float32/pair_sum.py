"""One level of a binary tree of neighbours, with one adder, for values that come in turn."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring

from tercel_hw.float32.adder import Adder
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.stages import Stages

__all__ = ["TERM", "PairSum"]

TERM = data.StructLayout({"value": FLOAT32_BITS, "present": 1, "last": 1})
"""A value that may be absent; the last one of a tree may complete a pair alone."""


class PairSum(wiring.Component):
    """Adds each two successive terms, not negative; no flow control, one a cycle, latency 8.

    The latency is from a pair's second term to its sum. A last term without a partner is added to
    zero, which leaves it as it is. The sum of a last term is a last term.

    Members
    -------
    enable : In(1)
        While it is low, nothing moves.
    i : In(TERM)
    o : Out(TERM)
    """

    LATENCY = Adder.LATENCY

    enable: Signal
    i: data.View
    o: data.View

    def __init__(self):
        super().__init__(
            {"enable": wiring.In(1), "i": wiring.In(TERM), "o": wiring.Out(TERM)},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = Signal(FLOAT32_BITS, reset_less=True)
        has_first = Signal()
        complete = Signal()
        m.d.comb += complete.eq(self.i.present & (has_first | self.i.last))
        with m.If(self.enable & self.i.present):
            m.d.sync += [first.eq(self.i.value), has_first.eq(~complete)]

        left = Mux(has_first, first, 0)
        total = attach(m, "adder", Adder(magnitudes=True), self.enable, a=left, b=self.i.value)
        stages = Stages(m, self.enable)
        m.d.comb += [
            self.o.value.eq(total),
            self.o.present.eq(stages.delay(complete, self.LATENCY, "present", reset=True)),
            self.o.last.eq(stages.delay(self.i.last, self.LATENCY, "last")),
        ]
        return m
