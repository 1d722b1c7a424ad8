"""Where a query head of a layer belongs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring

from tercel_hw.attention.config import AttentionConfig

__all__ = ["TurnCounter"]


class TurnCounter(wiring.Component):
    """Counts the query heads of a layer: turns, walks, KV heads.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    start : In(1)
        To the first head of `layer`.
    layer : In(config.layer)
        With `start` and until the last head.
    step : In(1)
        To the next head.
    turn : Out(range(nodes))
        Of its walk.
    walk_ends, layer_ends : Out(1)
        It is the last of its walk, and of the layer.
    """

    start: Signal
    layer: data.View
    step: Signal
    turn: Signal
    walk_ends: Signal
    layer_ends: Signal

    def __init__(self, config: AttentionConfig):
        super().__init__(
            {
                "start": wiring.In(1),
                "layer": wiring.In(config.layer),
                "step": wiring.In(1),
                "turn": wiring.Out(range(config.nodes)),
                "walk_ends": wiring.Out(1),
                "layer_ends": wiring.Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        # Heads left of the KV head, walks left of the layer; both with this one.
        heads, walks = Signal.like(layer.heads), Signal.like(layer.walks)
        m.d.comb += [
            self.walk_ends.eq((heads == 1) | (self.turn + 1 == layer.turns)),
            self.layer_ends.eq(self.walk_ends & (walks == 1)),
        ]
        with m.If(self.start):
            m.d.sync += [heads.eq(layer.heads), walks.eq(layer.walks), self.turn.eq(0)]
        with m.Elif(self.step):
            m.d.sync += [
                heads.eq(Mux(heads == 1, layer.heads, heads - 1)),
                self.turn.eq(Mux(self.walk_ends, 0, self.turn + 1)),
                walks.eq(walks - self.walk_ends),
            ]
        return m
