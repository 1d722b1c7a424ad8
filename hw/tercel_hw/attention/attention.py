"""Attention of one KV head."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.output_scale import OutputScale
from tercel_hw.attention.score_scale import ScoreScale
from tercel_hw.attention.softmax_weights import SoftmaxWeights
from tercel_hw.dense import DenseEngine, RowAligner, dense_latency

__all__ = ["Attention", "attention_overhead"]


def attention_overhead(config: AttentionConfig) -> int:
    """Cycles between the last beat of the keys and the first step of the values, at least."""
    return dense_latency(config.dense) + ScoreScale.LATENCY + SoftmaxWeights.LATENCY


class Attention(wiring.Component):
    """``numerics.attend`` for the query heads of one KV head: keys, then values, past the queries.

    For each command the queries are loaded before; then come all keys, then all values, in the
    order of the cache and without gaps between rows (:class:`RowAligner`). The next head's command
    may be given at once: its keys are read while this head's totals leave.

    From head to head, if nothing waits, ``positions * ceil(head size / macs) * turns`` cycles for
    the keys, ``halves`` times as many for the values, ``overhead`` and one (packed: up to three
    more). With fewer positions than about ``macs`` the totals' read-out takes longer than that.

    Between walks the dense engine may be lent for a dot walk of one turn over rows padded to beats
    (the head of the model): a beat a cycle; nothing of attention may be under way or come before
    the last of its sums has been taken.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(StructLayout({"walk": config.walk, "elements": ...})))
        ``elements`` is the head size.
    i_vector : In(stream.Signature(config.dense.vector))
        Queries; not while the keys of the walk before are read.
    i_query_scale : In(stream.Signature(config.query_scale))
        Not while scores of the walk before are under way.
    i_word : In(stream.Signature(config.dense.beat))
        Keys, then values.
    i_scales : In(stream.Signature(config.row_scales))
        One for each position.
    o : Out(stream.Signature(config.output))
        Sets (turn, half of the lanes) in order, each with all elements in order.
    scored : Out(1)
        A pulse: the last score of a walk is known, so queries and their scales may be replaced.
    i_head_command : In(stream.Signature(config.head_command))
        Lends the engine; taken only where ``i_command`` offers none.
    i_head_row : In(stream.Signature(config.dense.beat))
    o_head_sum : Out(stream.Signature(config.dense.sums))
        One for each row.
    """

    i_command: stream.Interface
    i_vector: stream.Interface
    i_query_scale: stream.Interface
    i_word: stream.Interface
    i_scales: stream.Interface
    o: stream.Interface
    scored: Signal
    i_head_command: stream.Interface
    i_head_row: stream.Interface
    o_head_sum: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        dense = config.dense
        elements = dense.command.members["elements"]
        command = data.StructLayout({"walk": config.walk, "elements": elements})
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command)),
                "i_vector": wiring.In(stream.Signature(dense.vector)),
                "i_query_scale": wiring.In(stream.Signature(config.query_scale)),
                "i_word": wiring.In(stream.Signature(dense.beat)),
                "i_scales": wiring.In(stream.Signature(config.row_scales)),
                "o": wiring.Out(stream.Signature(config.output)),
                "scored": wiring.Out(1),
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
        """Cycles between the last beat of the keys and the first step of the values, at least."""
        return attention_overhead(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.aligner = aligner = RowAligner(config.dense)
        m.submodules.engine = engine = DenseEngine(config.dense)
        m.submodules.scale = scale = ScoreScale(config)
        m.submodules.softmax = softmax = SoftmaxWeights(config)
        m.submodules.output = output = OutputScale(config)

        wiring.connect(m, wiring.flipped(self.i_vector), engine.i_vector)
        wiring.connect(m, wiring.flipped(self.i_query_scale), scale.i_query_scale)
        wiring.connect(m, wiring.flipped(self.i_scales), scale.i_scales)
        wiring.connect(m, aligner.o, engine.i_row)
        wiring.connect(m, scale.o, softmax.i_score)
        wiring.connect(m, softmax.o_weight, engine.i_weight)
        wiring.connect(m, softmax.o_denominator, output.i_denominator)
        wiring.connect(m, engine.o_total, output.i_total)
        wiring.connect(m, output.o, wiring.flipped(self.o))

        command = Signal.like(self.i_command.payload)
        axpy, lent, rows = Signal(), Signal(), Signal(config.dense.command.members["rows"])
        sinks = [aligner.i_command, engine.i_command, scale.i_walk, softmax.i_walk]
        waiting = Signal(len(sinks))
        for index, sink in enumerate(sinks):
            m.d.comb += sink.valid.eq(waiting[index])
            with m.If(sink.valid & sink.ready):
                m.d.sync += waiting[index].eq(0)
        for sink in sinks[:2]:
            m.d.comb += [
                sink.payload.axpy.eq(axpy),
                sink.payload.elements.eq(command.elements),
                sink.payload.turns.eq(command.walk.turns),
                sink.payload.rows.eq(rows),
            ]
        m.d.comb += [sink.payload.eq(command.walk) for sink in sinks[2:]]
        self._lend(m, lent, aligner.i, engine.o_sum, scale.i_sum)
        offered, head = self.i_command.payload, self.i_head_command.payload
        left = Signal.like(rows)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += [
                    self.i_command.ready.eq(1),
                    self.i_head_command.ready.eq(~self.i_command.valid),
                ]
                m.d.sync += axpy.eq(0)
                with m.If(self.i_command.valid):
                    m.d.sync += [
                        command.eq(offered),
                        rows.eq(offered.walk.past + offered.walk.nodes),
                        waiting.eq(0b1111),
                    ]
                    m.next = "keys"
                with m.Elif(self.i_head_command.valid):
                    m.d.sync += [
                        command.walk.turns.eq(1),
                        command.elements.eq(self._padded(head.elements)),
                        rows.eq(head.rows),
                        left.eq(head.rows),
                        waiting.eq(0b11),
                        lent.eq(1),
                    ]
                    m.next = "head"
            with m.State("keys"):
                with m.If(waiting == 0):
                    m.d.sync += [waiting.eq(0b11), axpy.eq(1)]
                    m.next = "values"
            with m.State("values"):
                with m.If(waiting == 0):
                    m.next = "idle"
            with m.State("head"):
                with m.If(self.o_head_sum.valid & self.o_head_sum.ready):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.d.sync += lent.eq(0)
                        m.next = "idle"

        walking = Signal()
        m.d.comb += self.scored.eq(walking & ~softmax.i_score.ready)
        m.d.sync += walking.eq(softmax.i_score.ready)
        return m

    def _padded(self, elements):
        """``elements`` up to whole beats, so that the aligner closes no gaps."""
        bits = self._config.dense.macs.bit_length() - 1
        beats = (elements + (self._config.dense.macs - 1)) >> bits
        return Cat(Const(0, bits), beats)

    def _lend(self, m: Module, lent: Signal, words, sums, scores) -> None:
        """Rows come from the head while ``lent``, and sums go there."""
        m.d.comb += [
            words.valid.eq(Mux(lent, self.i_head_row.valid, self.i_word.valid)),
            words.payload.eq(Mux(lent, self.i_head_row.payload, self.i_word.payload)),
            self.i_head_row.ready.eq(words.ready & lent),
            self.i_word.ready.eq(words.ready & ~lent),
            scores.valid.eq(sums.valid & ~lent),
            scores.payload.eq(sums.payload),
            self.o_head_sum.valid.eq(sums.valid & lent),
            self.o_head_sum.payload.eq(sums.payload),
            sums.ready.eq(Mux(lent, self.o_head_sum.ready, scores.ready)),
        ]
