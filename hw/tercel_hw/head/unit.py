"""The language-model head on a borrowed dense engine."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO

from tercel_hw.head.block_reader import BlockReader
from tercel_hw.head.logit_queue import LogitQueue
from tercel_hw.head.node_scales import NodeScales
from tercel_hw.head.results import HeadResults
from tercel_hw.head.run import RUN
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.vector.config import command_layout

__all__ = ["HeadUnit"]

LINES = 4
"""That wait to be written."""


class HeadUnit(wiring.Component):
    """``numerics.head_logits`` over a head's tape, and what is read off the logits.

    For each command the activations go to the dense engine's vectors, a column a cycle; then the
    engine is told to walk and the tape's words pass, one a cycle, each in the cycle in which it
    comes: blocks of 16 row scales and 16 rows. Lines for the host come in runs: if ``logits``, one
    of unscaled logits for each row below ``limit``; then the :class:`Summary`. A row's line is
    offered ``LATENCY`` cycles after its sums have been taken.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``rows`` is a multiple of 16, ``1 <= limit <= rows``, ``best`` at most ``config.head.best``.
        Taken when the walk before has ended.
    i : In(stream.Signature(config.column))
        Activations; a row of the tape is zero beyond them.
    i_scales : In(stream.Signature(config.head.floats))
        Those of the activations; the first sums wait for them.
    i_word : In(stream.Signature(config.word))
        The tape.
    o_head_command : Out(stream.Signature(config.walk))
    o_head_vector : Out(stream.Signature(config.dense.column))
        All of a walk before its ``o_head_command``.
    o_head_row : Out(stream.Signature(config.dense.beat))
        Only after it.
    i_head_sum : In(stream.Signature(config.dense.sums))
        The dense engine.
    o_run : Out(stream.Signature(RUN))
        Each before its lines.
    o_line : Out(stream.Signature(config.head.floats))
    busy : Out(1)
        A command is under way or a line waits.
    """

    LATENCY = LogitQueue.LATENCY + 1

    i_command: stream.Interface
    i: stream.Interface
    i_scales: stream.Interface
    i_word: stream.Interface
    o_head_command: stream.Interface
    o_head_vector: stream.Interface
    o_head_row: stream.Interface
    i_head_sum: stream.Interface
    o_run: stream.Interface
    o_line: stream.Interface
    busy: Signal

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        dense, floats = config.dense, config.head.floats
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "i": wiring.In(stream.Signature(config.column)),
                "i_scales": wiring.In(stream.Signature(floats)),
                "i_word": wiring.In(stream.Signature(unsigned(config.word))),
                "o_head_command": wiring.Out(stream.Signature(config.walk)),
                "o_head_vector": wiring.Out(stream.Signature(dense.column)),
                "o_head_row": wiring.Out(stream.Signature(dense.beat)),
                "i_head_sum": wiring.In(stream.Signature(dense.sums)),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(floats)),
                "busy": wiring.Out(1),
            }
        )

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.reader = reader = BlockReader(config)
        m.submodules.scales = scales = NodeScales(config.head)
        m.submodules.logits = logits = LogitQueue(config)
        m.submodules.results = results = HeadResults(config)
        m.submodules.lines = lines = SyncFIFO(width=self.o_line.payload.shape().size, depth=LINES)

        wiring.connect(m, wiring.flipped(self.i_scales), scales.i)
        wiring.connect(m, wiring.flipped(self.i_word), reader.i)
        wiring.connect(m, reader.o_row, wiring.flipped(self.o_head_row))
        sums = self.i_head_sum
        m.d.comb += [logits.i_sum.valid.eq(sums.valid), sums.ready.eq(logits.i_sum.ready)]
        m.d.comb += [
            logits.i_sum.payload[lane].eq(sums.payload[lane]) for lane in range(config.head.nodes)
        ]
        wiring.connect(m, reader.o_scale, logits.i_scale)
        wiring.connect(m, logits.o, results.i)
        wiring.connect(m, results.o_run, wiring.flipped(self.o_run))

        command = Signal.like(self.i_command.payload)
        element = Signal(range(config.dense.slices * config.dense.macs))
        vector = self.o_head_vector
        index_bits = config.dense.macs.bit_length() - 1
        m.d.comb += [
            logits.node_scales.eq(scales.base2),
            logits.scaled.eq(scales.valid),
            results.scales.eq(scales.scales),
            lines.w_data.eq(results.o_line.payload),
            lines.w_en.eq(results.o_line.valid),
            results.o_line.ready.eq(lines.w_rdy),
            self.o_line.valid.eq(lines.r_rdy),
            self.o_line.payload.eq(lines.r_data),
            lines.r_en.eq(self.o_line.ready),
            vector.payload.slice.eq(element[index_bits:]),
            vector.payload.index.eq(element[:index_bits]),
            vector.payload.lanes.eq(~0),
            vector.payload["values"].eq(self.i.payload["values"]),
            self.o_head_command.payload.slices.eq(command.slices),
            self.o_head_command.payload.rows.eq(command.rows),
            reader.i_command.payload.eq(self.o_head_command.payload),
            results.i_command.payload.eq(command),
        ]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle") | lines.r_rdy)
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                with m.If(self.i_command.valid):
                    m.d.sync += [command.eq(self.i_command.payload), element.eq(0)]
                    m.next = "load"
            with m.State("load"):
                m.d.comb += [vector.valid.eq(self.i.valid), self.i.ready.eq(vector.ready)]
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += element.eq(element + 1)
                    with m.If(self.i.payload.last):
                        m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.o_head_command.valid.eq(1)
                with m.If(self.o_head_command.ready):
                    m.next = "start"
            with m.State("start"):
                # Both are idle: the walk before has ended.
                m.d.comb += [reader.i_command.valid.eq(1), results.i_command.valid.eq(1)]
                m.next = "walk"
            with m.State("walk"):
                # The rows that do not count are the last to come.
                with m.If(reader.i_command.ready & results.i_command.ready):
                    m.d.comb += scales.release.eq(1)
                    m.next = "idle"
        return m
