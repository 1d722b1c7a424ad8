"""The division of totals by denominators, which gives attention's output."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.inverse import Inverse
from tercel_hw.attention.lanes import of_head_slot
from tercel_hw.attention.output_lanes import OutputLanes
from tercel_hw.float32 import Stages, StreamPipeline, attach
from tercel_hw.result_queue import FLOWS, ResultQueue

__all__ = ["OutputScale"]


class OutputScale(wiring.Component):
    """Divides a sweep's totals by their denominators and returns them from lanes to nodes.

    One pipeline computes the denominators' reciprocals, a lane a cycle, also while the totals of
    the previous sweep leave; then an element a cycle, latency 13. The first total is taken at least
    ``PREPARE`` cycles, plus one for each lane, after the denominators were offered.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    lanes_per_head : In(range(nodes + 1))
        Lanes per head; steady while totals are in flight.
    i_denominator : In(stream.Signature(config.denominators))
    i_total : In(stream.Signature(config.dense.totals_read))
    o : Out(stream.Signature(config.output))
        Nodes from ``lanes_per_head`` on are zero.
    """

    LATENCY = OutputLanes.LATENCY + ResultQueue.LATENCY
    PREPARE = Inverse.LATENCY + 1

    lanes_per_head: Signal
    i_denominator: stream.Interface
    i_total: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "lanes_per_head": wiring.In(range(config.nodes + 1)),
                "i_denominator": wiring.In(stream.Signature(config.denominators)),
                "i_total": wiring.In(stream.Signature(config.dense.totals_read)),
                "o": wiring.Out(stream.Signature(config.output)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        ends = Signal()
        scales, prepared = self._prepare(m, ends)
        total = self.i_total.payload
        tag = Cat(total.last, total.head_slot)
        m.submodules.lanes = lanes = StreamPipeline(OutputLanes(config), tag_bits=len(tag))
        values = lanes.o.payload.value
        head_slot, last = Signal.like(total.head_slot), Signal()
        m.d.comb += [
            ends.eq(self.i_total.valid & self.i_total.ready & total.last),
            lanes.i.valid.eq(self.i_total.valid & prepared),
            self.i_total.ready.eq(lanes.i.ready & prepared),
            lanes.i.payload.sums.eq(total.sums),
            lanes.i.payload.scales.eq(scales),
            lanes.i.payload.tag.eq(tag),
            Cat(last, head_slot).eq(lanes.o.payload.tag),
            self.o.valid.eq(lanes.o.valid),
            lanes.o.ready.eq(self.o.ready),
            self.o.payload.last.eq(last),
        ]
        rows = [values[lane] for lane in range(config.nodes)]
        m.d.comb += [
            self.o.payload["values"][node].eq(value)
            for node, value in enumerate(
                of_head_slot(m, self.lanes_per_head, config.lanes_per_head_choices, head_slot, rows)
            )
        ]
        return m

    def _prepare(self, m: Module, ends: Signal) -> tuple[data.View, Signal]:
        """Return the lanes' scales, kept until a sweep's totals end, and their valid signal."""
        config = self._config
        denominators = self.i_denominator.payload
        lane = Signal(range(config.nodes))
        prepared, complete, moves = Signal(), Signal(), Signal()
        busy, offers, last_lane = Signal(), Signal(), Signal()
        m.d.comb += [
            offers.eq(self.i_denominator.valid & ~busy),
            moves.eq(complete & (~prepared | ends)),
            last_lane.eq(lane == config.nodes - 1),
            self.i_denominator.ready.eq(offers & last_lane),
        ]
        inverse = attach(
            m,
            "inverse",
            Inverse(),
            FLOWS,
            sum=denominators.sums[lane],
            exponent=denominators.exponents[lane],
        )
        stages, cycles = Stages(m, FLOWS), Inverse.LATENCY
        arrives = stages.delay(offers, cycles, "arrives", reset=True)
        to_lane = stages.delay(lane, cycles, "to_lane")
        with m.If(offers):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += busy.eq(1)
        coming, scales = (
            Signal(config.floats, name=name, reset_less=True) for name in ("coming", "scales")
        )
        with m.If(arrives):
            for index in range(config.nodes):
                with m.If(to_lane == index):
                    m.d.sync += coming[index].eq(inverse)
            with m.If(to_lane == config.nodes - 1):
                m.d.sync += complete.eq(1)
        with m.If(moves):
            m.d.sync += [scales.eq(coming), prepared.eq(1), complete.eq(0), busy.eq(0)]
        with m.Elif(ends):
            m.d.sync += prepared.eq(0)
        return scales, prepared
