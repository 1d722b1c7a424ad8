"""The counter of a layer's query heads, which gives the head slot of each."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring

from tercel_hw.attention.config import AttentionConfig

__all__ = ["HeadSlotCounter"]


class HeadSlotCounter(wiring.Component):
    """Counts the query heads of a layer: head slots, sweeps, KV heads.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    start : In(1)
        Go to the first head of `layer`.
    layer : In(config.layer)
        Valid with `start` and until the last head.
    step : In(1)
        Go to the next head.
    head_slot : Out(range(nodes))
        Head slot within the sweep.
    sweep_ends, layer_ends : Out(1)
        The head is the last of its sweep, and of the layer.
    """

    start: Signal
    layer: data.View
    step: Signal
    head_slot: Signal
    sweep_ends: Signal
    layer_ends: Signal

    def __init__(self, config: AttentionConfig):
        super().__init__(
            {
                "start": wiring.In(1),
                "layer": wiring.In(config.layer),
                "step": wiring.In(1),
                "head_slot": wiring.Out(range(config.nodes)),
                "sweep_ends": wiring.Out(1),
                "layer_ends": wiring.Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        # Heads left of the KV head, sweeps left of the layer; both include this one.
        heads, sweeps = Signal.like(layer.heads), Signal.like(layer.sweeps)
        m.d.comb += [
            self.sweep_ends.eq((heads == 1) | (self.head_slot + 1 == layer.head_slots)),
            self.layer_ends.eq(self.sweep_ends & (sweeps == 1)),
        ]
        with m.If(self.start):
            m.d.sync += [heads.eq(layer.heads), sweeps.eq(layer.sweeps), self.head_slot.eq(0)]
        with m.Elif(self.step):
            m.d.sync += [
                heads.eq(Mux(heads == 1, layer.heads, heads - 1)),
                self.head_slot.eq(Mux(self.sweep_ends, 0, self.head_slot + 1)),
                sweeps.eq(sweeps - self.sweep_ends),
            ]
        return m
