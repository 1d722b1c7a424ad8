"""The queries of a pass."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.unit_config import AttentionUnitConfig
from tercel_hw.float32 import Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.memory.fifo import FifoConfig, StreamFifo

__all__ = ["QueryStore"]


class QueryStore(wiring.Component):
    """Keeps the queries of all heads, and copies those of a KV head to where they are used.

    Queries leave in the order in which they came, so the store is a queue in block RAM. A copy
    writes a column a cycle and beside it a scale times ``factor`` a cycle, a lane after the other.

    A copy takes ``turns * elements + 2`` cycles if its columns are there, but at least
    ``turns * nodes + SCALE_LATENCY + 2``.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i : In(stream.Signature(config.column))
        Columns of all query heads in order; ``last`` is ignored.
    i_scales : In(stream.Signature(config.attention.floats))
        One for each head.
    i_copy : In(stream.Signature(StructLayout({"turns", "elements", "factor"})))
        Copies the next ``turns`` heads; taken when all has been written.
    o_vector : Out(stream.Signature(config.attention.dense.vector))
        ``ready`` is ignored.
    o_query_scale : Out(stream.Signature(config.attention.query_scale))
        ``ready`` is ignored.
    """

    SCALE_LATENCY = 1 + Multiplier.LATENCY

    i: stream.Interface
    i_scales: stream.Interface
    i_copy: stream.Interface
    o_vector: stream.Interface
    o_query_scale: stream.Interface

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        walk = config.attention.dense.command.members
        copy = data.StructLayout(
            {"turns": walk["turns"], "elements": walk["elements"], "factor": FLOAT32_BITS}
        )
        super().__init__(
            {
                "i": wiring.In(stream.Signature(config.column)),
                "i_scales": wiring.In(stream.Signature(config.attention.floats)),
                "i_copy": wiring.In(stream.Signature(copy)),
                "o_vector": wiring.Out(stream.Signature(config.attention.dense.vector)),
                "o_query_scale": wiring.Out(stream.Signature(config.attention.query_scale)),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        starts, running = Signal(), Signal()
        copied, scaled = self._columns(m, starts), self._scales(m, starts)
        m.d.comb += [
            starts.eq(self.i_copy.valid & ~running),
            self.i_copy.ready.eq(running & copied & scaled),
        ]
        m.d.sync += running.eq(self.i_copy.valid & ~self.i_copy.ready)
        return m

    def _columns(self, m: Module, starts: Signal) -> Value:
        """Copy columns; whether the last has left."""
        config = self._config
        dense = config.attention.dense
        store = FifoConfig(
            width=8 * config.attention.nodes, depth=config.query_columns, ram_style="block"
        )
        m.submodules.columns = columns = StreamFifo(config=store)
        copy, vector = self.i_copy.payload, self.o_vector.payload
        copying, last = Signal(), Signal()
        turn = Signal(range(dense.turns))
        element, final = Signal.like(copy.elements), Signal.like(copy.elements)
        m.d.comb += [
            columns.i.valid.eq(self.i.valid),
            columns.i.payload.eq(self.i.payload["values"].as_value()),
            self.i.ready.eq(columns.i.ready),
            columns.o.ready.eq(copying),
            self.o_vector.valid.eq(copying & columns.o.valid),
            vector.byte.eq(element),
            vector["values"].eq(columns.o.payload),
            last.eq(element == final),
        ]
        with m.If(starts):
            m.d.sync += [copying.eq(1), final.eq(copy.elements - 1)]
            m.d.sync += [turn.eq(0), element.eq(0), vector.address.eq(0)]
        with m.Elif(self.o_vector.valid):
            m.d.sync += element.eq(element + 1)
            with m.If(vector.byte.all()):
                m.d.sync += vector.address.eq(vector.address + copy.turns)
            with m.If(last):
                m.d.sync += [turn.eq(turn + 1), element.eq(0), vector.address.eq(turn + 1)]
                m.d.sync += copying.eq(turn + 1 != copy.turns)
        return ~copying

    def _scales(self, m: Module, starts: Signal) -> Value:
        """Multiply and write scales; whether the last has been written."""
        config = self._config
        nodes = config.attention.nodes
        store = FifoConfig(
            width=FLOAT32_BITS * nodes, depth=config.query_heads, ram_style="distributed"
        )
        m.submodules.scales = scales = StreamFifo(config=store)
        copy = self.i_copy.payload
        reading, writing = Signal(), Signal()
        lane, turn = Signal(range(nodes)), Signal(range(config.attention.turns))
        taken, last_lane, last = Signal(), Signal(), Signal()
        heads = Signal(config.attention.floats)
        m.d.comb += [
            scales.i.valid.eq(self.i_scales.valid),
            scales.i.payload.eq(self.i_scales.payload.as_value()),
            self.i_scales.ready.eq(scales.i.ready),
            heads.eq(scales.o.payload),
            taken.eq(reading & scales.o.valid),
            last_lane.eq(lane == nodes - 1),
            last.eq(last_lane & (turn + 1 == copy.turns)),
            scales.o.ready.eq(reading & last_lane),
        ]
        stages = Stages(m, Const(1))
        chosen = stages(scale=heads[lane], factor=copy.factor)
        product = attach(m, "scale", Multiplier(), Const(1), a=chosen.scale, b=chosen.factor)
        written = self.o_query_scale
        late_valid = stages.delay(taken, self.SCALE_LATENCY, "valid", reset=True)
        late_last = stages.delay(last, self.SCALE_LATENCY, "last")
        m.d.comb += [
            written.valid.eq(late_valid),
            written.payload.value.eq(product),
            written.payload.lane.eq(stages.delay(lane, self.SCALE_LATENCY, "lane")),
            written.payload.turn.eq(stages.delay(turn, self.SCALE_LATENCY, "turn")),
        ]
        with m.If(starts):
            m.d.sync += [reading.eq(1), writing.eq(1), lane.eq(0), turn.eq(0)]
        with m.If(taken):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += turn.eq(turn + 1)
            with m.If(last):
                m.d.sync += reading.eq(0)
        with m.If(late_valid & late_last):
            m.d.sync += writing.eq(0)
        return ~writing
