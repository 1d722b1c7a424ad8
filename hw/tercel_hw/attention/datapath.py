"""The datapath of attention over the KV sweeps of a layer."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.output_scale import OutputScale
from tercel_hw.attention.score_scale import ScoreScale
from tercel_hw.attention.softmax_weights import SoftmaxWeights
from tercel_hw.dense import DenseEngine, dense_latency
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["BEATS", "BEAT_LATENCY", "Attention", "attention_overhead"]

HEAD_TILE = 16
"""Rows of a row block of the model's head: the tile of a head sweep."""
BEATS = 2
"""Beats that wait for the dense engine."""
BEAT_LATENCY = ShallowFifo.LATENCY
"""Cycles from a beat's transfer until the dense engine can take it."""


def attention_overhead(config: AttentionConfig) -> int:
    """Least cycles in the engine from the last beat of the keys to the first of the values."""
    return dense_latency(config.dense) + ScoreScale.LATENCY + SoftmaxWeights.LATENCY


class Attention(wiring.Component):
    """``numerics.attend`` with keys and values as streams, one KV sweep after the other.

    The keys of sweep w + 1 come before the values of sweep w, so that the weights are ready when
    the values arrive. Words come in that order, tile by tile and slice by slice as the dense engine
    sweeps.

    Beats of both users wait in a queue. They follow each other as in :class:`DenseEngine`, which
    takes the values of the last sweep at least ``overhead`` cycles after its keys. With few
    positions the outputs, one a cycle, take longer than the beats.

    Between layers the model's head may use the dense engine for a dot sweep in tiles of 16 rows of
    full slices, from slice 0 of the vectors on. Attention must be idle and get no input until the
    last of the head's sums has been taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_layer : In(stream.Signature(config.layer))
        Taken when all outputs of the layer before have left.
    tile : In(range(dense.tile + 1))
        Positions of a tile of keys.
    i_vector : In(stream.Signature(config.dense.column))
    i_sweep : In(1)
        A pulse: the vectors of another sweep have been written.
    i_query_scales : In(stream.Signature(config.floats))
        One for each sweep.
    i_word : In(stream.Signature(config.dense.beat))
        Keys and values.
    i_scales : In(stream.Signature(config.row_scales))
        One for each position of each sweep.
    o : Out(stream.Signature(config.output))
        For each sweep, slot by slot, all elements in order.
    i_head_command : In(stream.Signature(config.head_command))
        Begins a head sweep; taken only while ``i_layer`` is not valid.
    i_head_row : In(stream.Signature(config.dense.beat))
        Taken after the command.
    o_head_sum : Out(stream.Signature(config.dense.sums))
        One for each row.
    """

    i_layer: stream.Interface
    tile: Signal
    i_vector: stream.Interface
    i_sweep: Signal
    i_query_scales: stream.Interface
    i_word: stream.Interface
    i_scales: stream.Interface
    o: stream.Interface
    i_head_command: stream.Interface
    i_head_row: stream.Interface
    o_head_sum: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        dense = config.dense
        super().__init__(
            {
                "i_layer": wiring.In(stream.Signature(config.layer)),
                "tile": wiring.In(range(dense.tile + 1)),
                "i_vector": wiring.In(stream.Signature(dense.column)),
                "i_sweep": wiring.In(1),
                "i_query_scales": wiring.In(stream.Signature(config.floats)),
                "i_word": wiring.In(stream.Signature(dense.beat)),
                "i_scales": wiring.In(stream.Signature(config.row_scales)),
                "o": wiring.Out(stream.Signature(config.output)),
                "i_head_command": wiring.In(stream.Signature(config.head_command)),
                "i_head_row": wiring.In(stream.Signature(dense.beat)),
                "o_head_sum": wiring.Out(stream.Signature(dense.sums)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    @property
    def overhead(self) -> int:
        """Least cycles in the engine from the last beat of the keys to the first of the values."""
        return attention_overhead(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.engine = engine = DenseEngine(config.dense)
        m.submodules.scale = scale = ScoreScale(config)
        m.submodules.softmax = softmax = SoftmaxWeights(config)
        m.submodules.output = output = OutputScale(config)
        wiring.connect(m, wiring.flipped(self.i_vector), engine.i_vector)
        wiring.connect(m, wiring.flipped(self.i_query_scales), scale.i_query_scales)
        wiring.connect(m, wiring.flipped(self.i_scales), scale.i_scales)
        wiring.connect(m, scale.o, softmax.i_score)
        wiring.connect(m, softmax.o_weight, engine.i_weight)
        wiring.connect(m, softmax.o_denominator, output.i_denominator)
        wiring.connect(m, engine.o_total, output.i_total)
        wiring.connect(m, output.o, wiring.flipped(self.o))

        layer = Signal(config.layer, reset_less=True)
        positions = Signal(range(config.positions + 1), reset_less=True)
        # The engine is lent; rows of the head may be taken, or those of attention.
        lent, serving, own = Signal(), Signal(), Signal(init=1)
        left = Signal(config.dense.command.members["rows"], reset_less=True)
        m.d.comb += output.lanes_per_head.eq(layer.lanes_per_head)
        self._beats(m, engine.i_row, lent, serving, own)
        self._sums(m, lent, engine.o_sum, scale.i_sum)
        command, head = engine.i_command, self.i_head_command.payload
        # Sweeps whose dot, and whose axpy, the engine has not been given.
        keys, values = (Signal.like(layer.sweeps, reset_less=True) for _ in range(2))
        starts, issued = Signal(), Signal()
        loaded = self._loaded(m, issued)
        sweep_room = self._command_scale(m, issued, positions, scale.i_sweep)
        left_inside = self._outputs(m, starts, layer, engine.i_read, output.o)
        m.d.comb += [
            command.payload.rows.eq(Mux(lent, left, positions)),
            command.payload.full.eq(Mux(lent, head.slices, layer.full)),
            command.payload.half.eq(Mux(lent, 0, layer.half)),
            command.payload.tile.eq(Mux(lent, HEAD_TILE, self.tile)),
            softmax.i_layer.payload.eq(self.i_layer.payload),
        ]
        full, half = layer.full, layer.half
        first = Signal.like(command.payload.slice, reset_less=True)
        m.d.comb += command.payload.slice.eq(Mux(lent, 0, first))
        with m.FSM():
            with m.State("idle"):
                m.d.comb += [
                    softmax.i_layer.valid.eq(self.i_layer.valid & ~left_inside),
                    self.i_layer.ready.eq(softmax.i_layer.ready & ~left_inside),
                    starts.eq(self.i_layer.valid & self.i_layer.ready),
                ]
                offered = self.i_layer.payload
                m.d.sync += [left.eq(head.rows), first.eq(0)]
                with m.If(starts):
                    m.d.sync += [
                        layer.eq(offered),
                        positions.eq(offered.base + offered.nodes),
                        keys.eq(offered.sweeps),
                        values.eq(offered.sweeps),
                    ]
                    m.next = "keys"
                with m.Elif(self.i_head_command.valid & ~self.i_layer.valid):
                    m.d.sync += [lent.eq(1), own.eq(0)]
                    m.next = "lend"
            with m.State("keys"):
                # Engine and scale get their commands together, once the queries are written.
                m.d.comb += [
                    command.valid.eq(loaded & sweep_room),
                    issued.eq(command.valid & command.ready),
                ]
                with m.If(issued):
                    m.d.sync += [keys.eq(keys - 1), first.eq(first + full + half)]
                    m.next = "values"
                    with m.If((keys == layer.sweeps) & (keys != 1)):
                        m.next = "keys"
            with m.State("values"):
                m.d.comb += [command.valid.eq(1), command.payload.axpy.eq(1)]
                with m.If(command.ready):
                    m.d.sync += values.eq(values - 1)
                    m.next = "keys"
                    with m.If(keys == 0):
                        m.next = "values"
                        with m.If(values == 1):
                            m.next = "idle"
            with m.State("lend"):
                m.d.comb += [command.valid.eq(1), self.i_head_command.ready.eq(command.ready)]
                with m.If(command.ready):
                    m.d.sync += serving.eq(1)
                    m.next = "head"
            with m.State("head"):
                with m.If(self.o_head_sum.valid & self.o_head_sum.ready):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.d.sync += [lent.eq(0), serving.eq(0)]
                        m.next = "returned"
            with m.State("returned"):
                m.d.sync += own.eq(1)
                m.next = "idle"
        return m

    def _loaded(self, m: Module, issued: Signal) -> Signal:
        """Return a signal that is high once the vectors of the next sweep have been written."""
        count = Signal.like(self.i_layer.payload.sweeps)
        m.d.sync += count.eq(count + self.i_sweep - issued)
        loaded = Signal()
        m.d.comb += loaded.eq(count != 0)
        return loaded

    def _command_scale(
        self, m: Module, issued: Signal, positions, sweep: stream.Interface
    ) -> Signal:
        """Register the score scale's next command; return whether there is room for one.

        The unit may still be busy with the previous sweep.
        """
        with m.If(sweep.ready):
            m.d.sync += sweep.valid.eq(0)
        with m.If(issued):
            m.d.sync += sweep.valid.eq(1)
        m.d.comb += sweep.payload.eq(positions)
        room = Signal()
        m.d.comb += room.eq(~sweep.valid)
        return room

    def _outputs(self, m: Module, starts: Signal, layer, read: stream.Interface, out) -> Signal:
        """Read the totals of every sweep; return a signal that is high while outputs are due."""
        # Sweeps not yet read, heads left of the KV head, sweeps whose outputs have not left.
        asks, heads, inside = (
            Signal.like(layer.sweeps),
            Signal.like(layer.heads, reset_less=True),
            Signal.like(layer.sweeps),
        )
        few = heads <= layer.head_slots
        m.d.comb += [
            read.valid.eq(asks != 0),
            read.payload.elements.eq(layer.elements),
            read.payload.full.eq(layer.full),
            read.payload.half.eq(layer.half),
            read.payload.head_slots.eq(Mux(few, heads, layer.head_slots)),
        ]
        offered = self.i_layer.payload
        with m.If(starts):
            m.d.sync += [
                asks.eq(offered.sweeps),
                heads.eq(offered.heads),
                inside.eq(offered.sweeps),
            ]
        with m.Elif(read.valid & read.ready):
            m.d.sync += [
                asks.eq(asks - 1),
                heads.eq(Mux(few, layer.heads, heads - layer.head_slots)),
            ]
        with m.If(out.valid & out.ready & out.payload.last):
            m.d.sync += inside.eq(inside - 1)
        left = Signal()
        m.d.comb += left.eq(inside != 0)
        return left

    def _beats(
        self, m: Module, rows: stream.Interface, lent: Signal, serving: Signal, own: Signal
    ) -> None:
        """Queue the beats of the head while ``serving``, those of attention with ``own``."""
        m.submodules.beats = beats = ShallowFifo(self._config.dense.beat, depth=BEATS)
        wiring.connect(m, beats.o, rows)
        # A register of its own for the many bits of a beat, a cycle later: so no beat is taken in
        # the first cycle of a loan, nor in the first after it.
        selected = Signal()
        m.d.sync += selected.eq(lent)
        m.d.comb += [
            beats.i.valid.eq((self.i_head_row.valid & serving) | (self.i_word.valid & own)),
            beats.i.payload.eq(
                Mux(selected, self.i_head_row.payload.as_value(), self.i_word.payload.as_value())
            ),
            self.i_head_row.ready.eq(beats.i.ready & serving),
            self.i_word.ready.eq(beats.i.ready & own),
        ]

    def _sums(self, m: Module, lent: Signal, sums: stream.Interface, scores) -> None:
        """Connect the sums to the head while ``lent``, else to the score scale."""
        m.d.comb += [
            scores.valid.eq(sums.valid & ~lent),
            scores.payload.eq(sums.payload),
            self.o_head_sum.valid.eq(sums.valid & lent),
            self.o_head_sum.payload.eq(sums.payload),
            sums.ready.eq(Mux(lent, self.o_head_sum.ready, scores.ready)),
        ]
