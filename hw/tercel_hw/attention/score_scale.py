"""The scaling of the dense engine's sums to scores."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring

from tercel_hw.attention.config import BFLOAT16_BITS, AttentionConfig
from tercel_hw.attention.score_lanes import ScoreLanes
from tercel_hw.float32 import StreamPipeline
from tercel_hw.result_queue import ResultQueue

__all__ = ["ScoreScale"]


class ScoreScale(wiring.Component):
    """Joins sums with the scales of their query and key and computes the scores.

    One position a cycle, latency 20; two cycles more from sweep to sweep.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_sweep : In(stream.Signature(range(positions + 1)))
        Number of positions of a sweep, at least one.
    i_query_scales : In(stream.Signature(config.floats))
        One for each sweep: ``query scale * log2e / sqrt(head size)``, float32.
    i_sum : In(stream.Signature(config.dense.sums))
    i_scales : In(stream.Signature(config.row_scales))
        One for each position.
    o : Out(stream.Signature(config.scored))
    """

    LATENCY = ScoreLanes.LATENCY + ResultQueue.LATENCY

    i_sweep: stream.Interface
    i_query_scales: stream.Interface
    i_sum: stream.Interface
    i_scales: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "i_sweep": wiring.In(stream.Signature(range(config.positions + 1))),
                "i_query_scales": wiring.In(stream.Signature(config.floats)),
                "i_sum": wiring.In(stream.Signature(config.dense.sums)),
                "i_scales": wiring.In(stream.Signature(config.row_scales)),
                "o": wiring.Out(stream.Signature(config.scored)),
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
        query_scales = Signal(config.floats, reset_less=True)
        left = Signal(range(config.positions + 1))
        starts, taken = Signal(), Signal()
        m.d.comb += [
            starts.eq((left == 0) & self.i_sweep.valid & self.i_query_scales.valid),
            self.i_sweep.ready.eq(starts),
            self.i_query_scales.ready.eq(starts),
            lanes.i.valid.eq((left != 0) & self.i_sum.valid & self.i_scales.valid),
            taken.eq(lanes.i.valid & lanes.i.ready),
            self.i_sum.ready.eq(taken),
            self.i_scales.ready.eq(taken),
            lanes.i.payload.sums.eq(self.i_sum.payload),
            lanes.i.payload.query_scales.eq(query_scales),
            lanes.i.payload.key_scale.eq(self.i_scales.payload.key),
            lanes.i.payload.tag.eq(self.i_scales.payload.value),
            self.o.valid.eq(lanes.o.valid),
            lanes.o.ready.eq(self.o.ready),
            self.o.payload.scores.eq(lanes.o.payload.value),
            self.o.payload.value_scale.eq(lanes.o.payload.tag),
        ]
        with m.If(starts):
            m.d.sync += [
                left.eq(self.i_sweep.payload),
                query_scales.eq(self.i_query_scales.payload),
            ]
        with m.Elif(taken):
            m.d.sync += left.eq(left - 1)
        return m
