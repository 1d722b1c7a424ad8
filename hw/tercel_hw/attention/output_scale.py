"""Totals and denominators to attention's output."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.inverse import Inverse
from tercel_hw.attention.output_lanes import OutputLanes
from tercel_hw.float32 import StreamPipeline
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["OutputScale"]


class OutputScale(wiring.Component):
    """Divides a walk's totals by their denominators.

    The denominators' reciprocals come out of one pipeline, a lane a cycle, into registers; then an
    element of ``columns`` lanes a cycle, latency 12. The first total is taken ``PREPARE`` cycles
    and one for each lane of each turn after the first denominators were offered, at the earliest.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_denominator : In(stream.Signature(config.denominators))
    i_total : In(stream.Signature(config.dense.totals))
    o : Out(stream.Signature(config.output))
    """

    LATENCY = OutputLanes.LATENCY
    PREPARE = Inverse.LATENCY

    i_denominator: stream.Interface
    i_total: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "i_denominator": wiring.In(stream.Signature(config.denominators)),
                "i_total": wiring.In(stream.Signature(config.dense.totals)),
                "o": wiring.Out(stream.Signature(config.output)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        scales, prepared = self._prepare(m)
        total = self.i_total.payload
        tag = Cat(total.last, total["set"])
        m.submodules.lanes = lanes = StreamPipeline(OutputLanes(config), tag_bits=len(tag))
        taken = self.i_total.valid & self.i_total.ready
        with m.If(taken & total.last):
            m.d.sync += prepared.eq(0)
        m.d.comb += [
            lanes.i.valid.eq(self.i_total.valid & prepared),
            self.i_total.ready.eq(lanes.i.ready & prepared),
            lanes.i.payload.sums.eq(total.sums),
            lanes.i.payload.scales.eq(scales[total["set"]]),
            lanes.i.payload.tag.eq(tag),
            self.o.valid.eq(lanes.o.valid),
            lanes.o.ready.eq(self.o.ready),
            self.o.payload.values.eq(lanes.o.payload.value),
            Cat(self.o.payload.last, self.o.payload["set"]).eq(lanes.o.payload.tag),
        ]
        return m

    def _prepare(self, m: Module) -> tuple[Array, Signal]:
        """Scales of each set of lanes; whether those of this walk are complete."""
        config = self._config
        columns, halves = config.dense.columns, config.dense.halves
        denominators = self.i_denominator.payload
        lane = Signal(range(config.nodes))
        turn = Signal(range(config.turns))
        prepared, busy, offers, last_lane = Signal(), Signal(), Signal(), Signal()
        place = data.StructLayout({"lane": range(config.nodes), "turn": range(config.turns)})
        tag = data.StructLayout({"place": place, "last": 1})
        m.submodules.inverses = inverses = StreamPipeline(Inverse(), tag_bits=tag.size)
        into, out = Signal(tag), Signal(tag)
        m.d.comb += [
            offers.eq(self.i_denominator.valid & ~busy & ~prepared),
            last_lane.eq(lane == config.nodes - 1),
            self.i_denominator.ready.eq(offers & last_lane),
            into.place.lane.eq(lane),
            into.place.turn.eq(turn),
            into.last.eq(last_lane & denominators.last),
            inverses.i.valid.eq(offers),
            inverses.i.payload.sum.eq(denominators.sums[lane]),
            inverses.i.payload.exponent.eq(denominators.exponents[lane]),
            inverses.i.payload.tag.eq(into),
            inverses.o.ready.eq(1),
            out.eq(inverses.o.payload.tag),
        ]
        with m.If(offers):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += turn.eq(Mux(denominators.last, 0, turn + 1))
            with m.If(into.last):
                m.d.sync += busy.eq(1)

        floats = data.ArrayLayout(FLOAT32_BITS, columns)
        scales = [
            Signal(floats, name=f"scales{index}", reset_less=True)
            for index in range(config.turns * halves)
        ]
        for index, lanes in enumerate(scales):
            for column in range(columns):
                half = index % halves
                mine = (out.place.turn == index // halves) & (
                    out.place.lane == half * columns + column
                )
                with m.If(inverses.o.valid & mine):
                    m.d.sync += lanes[column].eq(inverses.o.payload.value)
        with m.If(inverses.o.valid & out.last):
            m.d.sync += [prepared.eq(1), busy.eq(0)]
        return Array(scales), prepared
