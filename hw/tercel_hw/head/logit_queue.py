"""Scaled rows on their way to those who look at them."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO

from tercel_hw.float32 import Stages
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.logit_scale import LogitScale
from tercel_hw.head.unit_config import HeadUnitConfig

__all__ = ["LogitQueue"]

QUEUE_DEPTH = 32
"""Rows between issue and output; above the latency, so that one-beat rows flow freely."""


class LogitQueue(wiring.Component):
    """Sums meet their rows' scales in ``LogitScale``; logits wait in a queue.

    One row a cycle, latency ``LATENCY``. The pipeline never stalls: a sum goes only if the queue
    has room for its logits.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_sum : In(stream.Signature(config.head.sums))
    i_scale : In(stream.Signature(32))
        One for each sum.
    node_scales : In(config.head.floats)
        For base-2 logits.
    scaled : In(1)
        ``node_scales`` are there: sums may go.
    o : Out(stream.Signature(config.scaled))
    """

    LATENCY = LogitScale.LATENCY + 1

    i_sum: stream.Interface
    i_scale: stream.Interface
    node_scales: data.View
    scaled: Signal
    o: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_sum": wiring.In(stream.Signature(config.head.sums)),
                "i_scale": wiring.In(stream.Signature(FLOAT32_BITS)),
                "node_scales": wiring.In(config.head.floats),
                "scaled": wiring.In(1),
                "o": wiring.Out(stream.Signature(config.scaled)),
            }
        )

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.scale = scale = LogitScale(config.head)
        m.submodules.queue = queue = SyncFIFO(width=config.scaled.size, depth=QUEUE_DEPTH)
        issued, taken = Signal(), Signal()
        reserved = Signal(range(QUEUE_DEPTH + 1))
        room = reserved != QUEUE_DEPTH
        m.d.sync += reserved.eq(reserved + issued - taken)
        m.d.comb += [
            issued.eq(self.i_sum.valid & self.i_scale.valid & self.scaled & room),
            self.i_sum.ready.eq(issued),
            self.i_scale.ready.eq(issued),
            scale.enable.eq(1),
            scale.sums.eq(self.i_sum.payload),
            scale.row_scale.eq(self.i_scale.payload),
            scale.node_scales.eq(self.node_scales),
            queue.w_data.eq(scale.o),
            queue.w_en.eq(Stages(m, Const(1)).delay(issued, scale.LATENCY, "valid", reset=True)),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            taken.eq(self.o.valid & self.o.ready),
            queue.r_en.eq(taken),
        ]
        return m
