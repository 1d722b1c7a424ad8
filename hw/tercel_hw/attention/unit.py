"""Attention over all heads of a layer."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO

from tercel_hw.attention.attention import Attention, attention_overhead
from tercel_hw.attention.cache_reader import CacheReader
from tercel_hw.attention.query_store import QueryStore
from tercel_hw.attention.scale_queue import ScaleQueue
from tercel_hw.attention.unit_config import AttentionUnitConfig
from tercel_hw.attention.word_sorter import WordSorter

__all__ = ["AttentionUnit"]

QUEUE_DEPTH = 4
"""Of the output: no path leads from its taker into the attention."""


class AttentionUnit(wiring.Component):
    """``numerics.attend`` on a cache in memory, one KV head after the other.

    The queries of a KV head are copied into the dense engine while the values of the head before
    are walked. From head to head, with S positions, B beats and T turns, and where words never
    wait: ``S*B*T + max(S*B*T + 2, T*head_size) + overhead - 1`` cycles; where the copy is hidden,
    these are the cycles of :class:`Attention`.

    Between attentions the dense engine serves the head of the model: its vector is written, then
    comes a command, then rows.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        One for each layer. ``past + nodes`` within the positions, times ``turns`` within the
        scores; ``turns`` times the beats of a head within the vector and total words of the dense
        engine; ``head_size`` a multiple of 16.
    i_written : In(stream.Signature(unsigned(0)))
        The pass's own rows are in memory: one for each command, taken before its first run.
    i_query : In(stream.Signature(config.column))
        All query heads in order; also before the command.
    i_query_scales : In(stream.Signature(config.attention.floats))
        One for each head, float32.
    o_run : Out(stream.Signature(config.run))
        Words wanted.
    i_word : In(stream.Signature(8 * word_bytes))
        They, in order.
    o : Out(stream.Signature(config.row))
        All heads in order, ``last`` with the very last element. Lanes without a node are zero.
    i_head_vector : In(stream.Signature(config.attention.dense.vector))
        Elements of the head's input, addressed by beat; taken while ``busy`` is low.
    i_head_command : In(stream.Signature(config.attention.head_command))
        After the last element of its vector, while ``busy`` is low.
    i_head_row : In(stream.Signature(config.attention.dense.beat))
        Padded with zeros to whole beats; taken after the command.
    o_head_sum : Out(stream.Signature(config.attention.dense.sums))
        One for each row.
    busy : Out(1)
        From taking a command to its last output.
    """

    i_command: stream.Interface
    i_written: stream.Interface
    i_query: stream.Interface
    i_query_scales: stream.Interface
    o_run: stream.Interface
    i_word: stream.Interface
    o: stream.Interface
    i_head_vector: stream.Interface
    i_head_command: stream.Interface
    i_head_row: stream.Interface
    o_head_sum: stream.Interface
    busy: Signal

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        attention = config.attention
        dense = attention.dense
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_written": wiring.In(stream.Signature(unsigned(0))),
                "i_query": wiring.In(stream.Signature(config.column)),
                "i_query_scales": wiring.In(stream.Signature(attention.floats)),
                "o_run": wiring.Out(stream.Signature(config.run)),
                "i_word": wiring.In(stream.Signature(unsigned(8 * config.word_bytes))),
                "o": wiring.Out(stream.Signature(config.row)),
                "i_head_vector": wiring.In(stream.Signature(dense.vector)),
                "i_head_command": wiring.In(stream.Signature(attention.head_command)),
                "i_head_row": wiring.In(stream.Signature(dense.beat)),
                "o_head_sum": wiring.Out(stream.Signature(dense.sums)),
                "busy": wiring.Out(1),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    @property
    def overhead(self) -> int:
        """Cycles between the last beat of the keys and the first step of the values, at least."""
        return attention_overhead(self._config.attention)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.attention = attention = Attention(config.attention)
        m.submodules.queries = queries = QueryStore(config)
        m.submodules.reader = reader = CacheReader(config)
        m.submodules.sorter = sorter = WordSorter(config)
        m.submodules.scales = scales = ScaleQueue(config)

        wiring.connect(m, wiring.flipped(self.i_query), queries.i)
        wiring.connect(m, wiring.flipped(self.i_query_scales), queries.i_scales)
        wiring.connect(m, queries.o_query_scale, attention.i_query_scale)
        wiring.connect(m, wiring.flipped(self.i_written), reader.i_written)
        wiring.connect(m, reader.o_run, wiring.flipped(self.o_run))
        wiring.connect(m, reader.o_kind, sorter.i_kind)
        wiring.connect(m, wiring.flipped(self.i_word), sorter.i)
        wiring.connect(m, sorter.o_scales, scales.i)
        wiring.connect(m, sorter.o_rows, attention.i_word)
        wiring.connect(m, scales.o, attention.i_scales)
        self._lend(m, attention, queries)

        command, positions = Signal(config.command), Signal.like(scales.positions)
        ends = self._output(m, attention, command)
        copy, walk = queries.i_copy, attention.i_command.payload.walk
        left = Signal.like(command.kv_heads)
        m.d.comb += [
            reader.i_command.valid.eq(self.i_command.valid & ~self.busy),
            reader.i_command.payload.eq(self.i_command.payload),
            self.i_command.ready.eq(reader.i_command.ready & ~self.busy),
            scales.positions.eq(positions),
            copy.payload.turns.eq(command.turns),
            copy.payload.elements.eq(command.head_size),
            copy.payload.factor.eq(command.factor),
            attention.i_command.payload.elements.eq(command.head_size),
            walk.past.eq(command.past),
            walk.nodes.eq(command.nodes),
            walk.turns.eq(command.turns),
        ]
        for lane in range(config.attention.nodes):
            m.d.comb += walk.ancestors[lane].eq(command.ancestors.word_select(lane, 16))
        with m.FSM():
            with m.State("idle"):
                with m.If(self.i_command.valid & self.i_command.ready):
                    m.d.sync += [command.eq(self.i_command.payload), self.busy.eq(1)]
                    m.d.sync += left.eq(self.i_command.payload.kv_heads)
                    m.next = "copy"
            with m.State("copy"):
                m.d.comb += copy.valid.eq(1)
                m.d.sync += positions.eq(command.past + command.nodes)
                with m.If(copy.ready):
                    m.next = "walk"
            with m.State("walk"):
                m.d.comb += attention.i_command.valid.eq(1)
                with m.If(attention.i_command.ready):
                    m.d.sync += left.eq(left - 1)
                    m.next = "score"
            with m.State("score"):
                with m.If(attention.scored):
                    m.next = "copy"
                    with m.If(left == 0):
                        m.next = "finish"
            with m.State("finish"):
                with m.If(ends):
                    m.d.sync += self.busy.eq(0)
                    m.next = "idle"
        return m

    def _output(self, m: Module, attention: Attention, command) -> Signal:
        """Queue the output; whether the very last element enters."""
        row = self._config.row
        m.submodules.queue = queue = SyncFIFO(width=row.size, depth=QUEUE_DEPTH)
        element, heads, last = Signal(row), Signal.like(command.kv_heads), Signal()
        ends = Signal()
        taken = attention.o.valid & attention.o.ready
        m.d.comb += [
            last.eq(attention.o.payload.last & (heads + 1 == command.kv_heads)),
            ends.eq(taken & last),
            element["values"].eq(attention.o.payload["values"]),
            element.last.eq(last),
            attention.o.ready.eq(queue.w_rdy),
            queue.w_en.eq(attention.o.valid),
            queue.w_data.eq(element),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        with m.If(taken & attention.o.payload.last):
            m.d.sync += heads.eq(Mux(last, 0, heads + 1))
        return ends

    def _lend(self, m: Module, attention: Attention, queries: QueryStore) -> None:
        """The dense engine to the head; vectors of either go through a register."""
        vector = attention.i_vector
        given = self.i_head_vector.valid & self.i_head_vector.ready
        m.d.comb += self.i_head_vector.ready.eq(~self.busy)
        m.d.sync += vector.valid.eq(queries.o_vector.valid | given)
        with m.If(self.busy):
            m.d.sync += vector.payload.eq(queries.o_vector.payload)
        with m.Else():
            m.d.sync += vector.payload.eq(self.i_head_vector.payload)
        wiring.connect(m, wiring.flipped(self.i_head_command), attention.i_head_command)
        wiring.connect(m, wiring.flipped(self.i_head_row), attention.i_head_row)
        wiring.connect(m, attention.o_head_sum, wiring.flipped(self.o_head_sum))
