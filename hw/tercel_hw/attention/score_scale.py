"""A dense engine's sums to scores."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import BFLOAT16_BITS, AttentionConfig
from tercel_hw.attention.score_lanes import ScoreLanes
from tercel_hw.float32 import StreamPipeline

__all__ = ["ScoreScale"]


class ScoreScale(wiring.Component):
    """Joins sums with the scales of their query and key, for each position every turn.

    One position and turn a cycle, latency 19; a position's scales are taken with its last turn.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_query_scale : In(stream.Signature(config.query_scale))
        Writes a register, always ready; not during a walk.
    i_walk : In(stream.Signature(config.walk))
    i_sum : In(stream.Signature(config.dense.sums))
    i_scales : In(stream.Signature(config.row_scales))
        One for each position.
    o : Out(stream.Signature(StructLayout({"scores": config.scores, "value_scale": 16})))
    """

    LATENCY = ScoreLanes.LATENCY

    i_query_scale: stream.Interface
    i_walk: stream.Interface
    i_sum: stream.Interface
    i_scales: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        scored = data.StructLayout({"scores": config.scores, "value_scale": BFLOAT16_BITS})
        super().__init__(
            {
                "i_query_scale": wiring.In(stream.Signature(config.query_scale)),
                "i_walk": wiring.In(stream.Signature(config.walk)),
                "i_sum": wiring.In(stream.Signature(config.dense.sums)),
                "i_scales": wiring.In(stream.Signature(config.row_scales)),
                "o": wiring.Out(stream.Signature(scored)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        lanes = StreamPipeline(ScoreLanes(config), tag_bits=BFLOAT16_BITS)
        m.submodules.lanes = lanes
        query_scales = Array(
            Signal(config.floats, name=f"query_scales{index}", reset_less=True)
            for index in range(config.turns)
        )
        m.d.comb += self.i_query_scale.ready.eq(1)
        written = self.i_query_scale.payload
        with m.If(self.i_query_scale.valid):
            m.d.sync += query_scales[written.turn][written.lane].eq(written.value)

        turns = Signal(range(config.turns + 1))
        turn = Signal(range(config.turns))
        left = Signal(range(config.positions + 1))
        last_turn, taken = Signal(), Signal()
        m.d.comb += [
            self.i_walk.ready.eq(left == 0),
            last_turn.eq(turn + 1 == turns),
            lanes.i.valid.eq((left != 0) & self.i_sum.valid & self.i_scales.valid),
            taken.eq(lanes.i.valid & lanes.i.ready),
            self.i_sum.ready.eq(taken),
            self.i_scales.ready.eq(taken & last_turn),
            lanes.i.payload.sums.eq(self.i_sum.payload),
            lanes.i.payload.query_scales.eq(query_scales[turn]),
            lanes.i.payload.key_scale.eq(self.i_scales.payload.key),
            lanes.i.payload.tag.eq(self.i_scales.payload.value),
            self.o.valid.eq(lanes.o.valid),
            lanes.o.ready.eq(self.o.ready),
            self.o.payload.scores.eq(lanes.o.payload.value),
            self.o.payload.value_scale.eq(lanes.o.payload.tag),
        ]
        with m.If(self.i_walk.valid & self.i_walk.ready):
            m.d.sync += [
                turns.eq(self.i_walk.payload.turns),
                left.eq(self.i_walk.payload.past + self.i_walk.payload.nodes),
            ]
        with m.If(taken):
            m.d.sync += [turn.eq(Mux(last_turn, 0, turn + 1)), left.eq(left - last_turn)]
        return m
