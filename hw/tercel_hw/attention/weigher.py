"""The computation of a sweep's weights and denominators from its scores."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.score_store import (
    ScoreStore,
    exponent_of,
    maxima_layout,
    visible_lanes,
)
from tercel_hw.attention.weight_lane import WeightLane
from tercel_hw.float32 import Stages, attach

__all__ = ["Weigher"]


class Weigher(wiring.Component):
    """Computes the integers of ``numerics.attend`` for all positions of a sweep.

    Throughput: a position a cycle, without stalls. The first weights leave ``LATENCY`` cycles after
    the sweep's maxima were taken; the denominators are offered in the cycle after the last weights.
    The next sweep begins when they have been taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    positions, base : In(range(positions + 1))
    masks : In(config.ancestors)
        As those of the :class:`ScoreStore`.
    i : In(stream.Signature(maxima_layout(config)))
    room : In(1)
        The weight buffer has room for another sweep.
    read : Out(range(positions))
    scored : In(config.scored)
        The store's read port.
    o_valid : Out(1)
    o : Out(one of config.dense.weights)
        Weights, one position after the other.
    o_denominator : Out(stream.Signature(config.denominators))
    """

    LATENCY = WeightLane.LATENCY + ScoreStore.LATENCY + 1

    positions: Signal
    base: Signal
    masks: data.View
    i: stream.Interface
    room: Signal
    read: Signal
    scored: data.View
    o_valid: Signal
    o: data.View
    o_denominator: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "positions": wiring.In(range(config.positions + 1)),
                "base": wiring.In(range(config.positions + 1)),
                "masks": wiring.In(config.ancestors),
                "i": wiring.In(stream.Signature(maxima_layout(config))),
                "room": wiring.In(1),
                "read": wiring.Out(range(config.positions)),
                "scored": wiring.In(config.scored),
                "o_valid": wiring.Out(1),
                "o": wiring.Out(config.dense.weights.elem_shape),
                "o_denominator": wiring.Out(stream.Signature(config.denominators)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        largest = Signal(maxima_layout(config), reset_less=True)
        active, busy, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~busy & self.room),
            ends.eq(active & (self.read + 1 == self.positions)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [largest.eq(self.i.payload), active.eq(1), busy.eq(1)]
        with m.If(active):
            m.d.sync += self.read.eq(Mux(ends, 0, self.read + 1))
        with m.If(ends):
            m.d.sync += active.eq(0)
        with m.If(self.o_denominator.valid & self.o_denominator.ready):
            m.d.sync += [self.o_denominator.valid.eq(0), busy.eq(0)]

        stages = Stages(m, Const(1))
        latency = ScoreStore.LATENCY + WeightLane.LATENCY
        seen = stages(visible=visible_lanes(self.masks, self.base, self.read))
        visible = stages.delay(seen.visible, ScoreStore.LATENCY - 1, "visible")
        late_first = stages.delay(self.read == 0, latency, "first")
        late_last = stages.delay(ends, latency, "last", reset=True)
        m.d.comb += self.o_valid.eq(stages.delay(active, latency, "valid", reset=True))
        with m.If(late_last):
            m.d.sync += self.o_denominator.valid.eq(1)
        scale = self.scored.value_scale
        # Zeros and subnormals count as zero and do not raise the largest exponent.
        exponent = exponent_of(scale)
        mantissa = Mux(exponent.any(), scale[:7] | 0x80, 0)
        sums = Signal(self.o_denominator.payload.sums.shape(), reset_less=True)
        m.d.comb += self.o_denominator.payload.sums.eq(sums)
        for lane in range(config.nodes):
            result = WeightLane()
            attach(
                m,
                f"lane{lane}",
                result,
                Const(1),
                score=self.scored.scores[lane],
                maximum=largest.scores[lane],
                exponent=exponent,
                largest=largest.exponents[lane],
                mantissa=mantissa,
                visible=visible[lane],
            )
            m.d.comb += self.o[lane].eq(result.o.weight)
            with m.If(self.o_valid):
                m.d.sync += sums[lane].eq(Mux(late_first, 0, sums[lane]) + result.o.term)
        m.d.comb += self.o_denominator.payload.exponents.eq(largest.exponents)
        return m
