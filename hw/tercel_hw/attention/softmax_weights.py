"""The integer softmax: scores to weights and denominators."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.lanes import node_of_lanes
from tercel_hw.attention.score_store import ScoreStore
from tercel_hw.attention.weigher import Weigher
from tercel_hw.attention.weight_buffer import WeightBuffer

__all__ = ["SoftmaxWeights"]


class SoftmaxWeights(wiring.Component):
    """The integers of ``numerics.attend`` for the sweeps of a layer.

    Positions come as in ``CacheView``: the ``base`` committed ones, then the pass's nodes; a node
    sees the former and its ancestors. The weights of a sweep are computed when all of its scores
    are stored, while scores of the next sweep may come, and repeated for each slice of the values.

    Throughput: a position a cycle, a beat a cycle. The first weights are offered ``LATENCY`` cycles
    after the last scores were taken, and the denominators ``positions + LATENCY - 2`` cycles after
    them. Sweeps follow each other at least ``positions + SWEEP`` cycles apart.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_layer : In(stream.Signature(config.layer))
        ``base + nodes <= positions``; ``nodes`` and ``sweeps`` at least 1. Taken when all weights
        of the previous layer have left.
    i_score : In(stream.Signature(config.scored))
    o_weight : Out(stream.Signature(config.dense.weights))
    o_denominator : Out(stream.Signature(config.denominators))
        One for each sweep.
    """

    LATENCY = 1 + Weigher.LATENCY + 2
    SWEEP = Weigher.LATENCY + 1

    i_layer: stream.Interface
    i_score: stream.Interface
    o_weight: stream.Interface
    o_denominator: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "i_layer": wiring.In(stream.Signature(config.layer)),
                "i_score": wiring.In(stream.Signature(config.scored)),
                "o_weight": wiring.Out(stream.Signature(config.dense.weights)),
                "o_denominator": wiring.Out(stream.Signature(config.denominators)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.store = store = ScoreStore(config)
        m.submodules.weigher = weigher = Weigher(config)
        m.submodules.weights = weights = WeightBuffer(config)
        wiring.connect(m, store.o, weigher.i)
        wiring.connect(m, weights.o, wiring.flipped(self.o_weight))
        wiring.connect(m, weigher.o_denominator, wiring.flipped(self.o_denominator))
        layer = Signal(config.layer, reset_less=True)
        positions = Signal(range(config.positions + 1), reset_less=True)
        masks = Signal(config.ancestors, reset_less=True)
        # Sweeps whose scores have not all arrived.
        left = Signal.like(layer.sweeps)
        busy, scores = Signal(), Signal()
        offered = self.i_layer.payload
        rows = [
            Mux(offered.nodes > node, offered.ancestors[node], 0) for node in range(config.nodes)
        ]
        with m.If(self.i_layer.valid & ~busy):
            m.d.sync += [
                layer.eq(offered),
                positions.eq(offered.base + offered.nodes),
                left.eq(offered.sweeps),
                busy.eq(1),
            ]
            m.d.sync += [
                masks[lane].eq(mask)
                for lane, mask in enumerate(
                    node_of_lanes(offered.lanes_per_head, config.lanes_per_head_choices, rows)
                )
            ]
        with m.Elif((left == 0) & weights.empty):
            m.d.sync += busy.eq(0)
        with m.If(weights.begin):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [
            self.i_layer.ready.eq(~busy),
            scores.eq(left != 0),
            store.i.valid.eq(self.i_score.valid & scores),
            store.i.payload.eq(self.i_score.payload),
            self.i_score.ready.eq(store.i.ready & scores),
            store.read.eq(weigher.read),
            weigher.scored.eq(store.scored),
            weigher.room.eq(weights.room),
            weights.begin.eq(weigher.i.valid & weigher.i.ready),
            weights.i_valid.eq(weigher.o_valid),
            weights.i.eq(weigher.o),
            weights.full.eq(layer.full),
            weights.half.eq(layer.half),
        ]
        for part in store, weigher:
            m.d.comb += [part.base.eq(layer.base), part.masks.eq(masks)]
        for part in store, weigher, weights:
            m.d.comb += part.positions.eq(positions)
        return m
