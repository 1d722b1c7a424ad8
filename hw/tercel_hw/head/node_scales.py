"""The activations' scales, and those of base-2 logits."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring

from tercel.numerics.functions import LOG2_E
from tercel_hw.float32 import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig

__all__ = ["NodeScales"]


class NodeScales(wiring.Component):
    """Keeps a walk's scales s and s * log2(e) of each lane; one multiplier for all lanes.

    Both are there ``latency`` cycles after the scales were taken.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i : In(stream.Signature(config.floats))
        Taken when nothing is kept.
    release : In(1)
        Forget; only while ``valid``.
    valid : Out(1)
    scales, base2 : Out(config.floats)
        While ``valid``.
    """

    i: stream.Interface
    release: Signal
    valid: Signal
    scales: data.View
    base2: data.View

    def __init__(self, config: HeadConfig):
        self._config = config
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.floats)),
                "release": wiring.In(1),
                "valid": wiring.Out(1),
                "scales": wiring.Out(config.floats),
                "base2": wiring.Out(config.floats),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    @property
    def latency(self) -> int:
        return self._config.nodes + Multiplier.LATENCY + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nodes = self._config.nodes
        m.submodules.multiplier = multiplier = Multiplier()
        kept = Signal()
        step = Signal(range(nodes + Multiplier.LATENCY + 1))
        scales, base2 = self.scales.as_value(), self.base2.as_value()
        m.d.comb += [
            self.i.ready.eq(~kept),
            self.valid.eq(step == nodes + Multiplier.LATENCY),
            multiplier.enable.eq(1),
            multiplier.a.eq(self.scales[0]),
            multiplier.b.eq(Const(int(LOG2_E.view("uint32")), FLOAT32_BITS)),
        ]
        with m.If(~kept):
            with m.If(self.i.valid):
                m.d.sync += [kept.eq(1), self.scales.eq(self.i.payload)]
        with m.Elif(~self.valid):
            m.d.sync += step.eq(step + 1)
            with m.If(step < nodes):
                m.d.sync += scales.eq(scales.rotate_right(FLOAT32_BITS))
            m.d.sync += base2.eq(Cat(base2, multiplier.o)[FLOAT32_BITS:])
        with m.Elif(self.release):
            m.d.sync += [kept.eq(0), step.eq(0)]
        return m
