"""What is kept of a head's rows."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.head.argmax import Argmax
from tercel_hw.head.exponential_sum import ExponentialSum
from tercel_hw.head.row_limit import RowLimit
from tercel_hw.head.run import RUN
from tercel_hw.head.summary import Summary
from tercel_hw.head.top_k import TopK
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.vector.config import command_layout

__all__ = ["HeadResults"]


class HeadResults(wiring.Component):
    """Shows a walk's rows to those blocks whose results are asked for; sends lines for the host.

    First, if ``logits``, a run of a line of unscaled logits for each row below ``limit``; then the
    run of the :class:`Summary`. One row a cycle unless `TopK` or the lines hold it up.

    Parameters
    ----------
    config
        The shape.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``1 <= limit <= rows``. Taken when all rows of the walk before have come and its lines
        have left.
    i : In(stream.Signature(config.scaled))
        All rows, also those that do not count.
    scales : In(config.head.floats)
        Of the nodes; while a walk lasts.
    o_run : Out(stream.Signature(RUN))
        Each before its lines.
    o_line : Out(stream.Signature(config.head.floats))
    """

    i_command: stream.Interface
    i: stream.Interface
    scales: data.View
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "i": wiring.In(stream.Signature(config.scaled)),
                "scales": wiring.In(config.head.floats),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(config.head.floats)),
            }
        )

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        head = self._config.head
        m.submodules.limit = limit = RowLimit(head)
        m.submodules.argmax = argmax = Argmax(head)
        m.submodules.sums = sums = ExponentialSum(head)
        m.submodules.best = best = TopK(head)
        m.submodules.summary = summary = Summary(head)
        wiring.connect(m, argmax.o, summary.i_best)
        wiring.connect(m, sums.o, summary.i_total)
        wiring.connect(m, best.o, summary.i_rank)

        command = Signal.like(self.i_command.payload)
        offered, row = self.i_command.payload, limit.o
        walks = Signal()
        lines = stream.Signature(head.floats).create()
        m.d.comb += [
            limit.i_command.payload.rows.eq(offered.rows),
            limit.i_command.payload.limit.eq(offered.limit),
            limit.i.valid.eq(self.i.valid),
            limit.i.payload.eq(self.i.payload["values"]),
            self.i.ready.eq(limit.i.ready),
            argmax.i.payload.eq(row.payload),
            best.i.payload.eq(row.payload),
            sums.i.payload.exponents.eq(self.i.payload.exponents),
            sums.i.payload.last.eq(row.payload.last),
            summary.i_command.payload.eq(command),
            summary.scales.eq(self.scales),
            lines.payload.eq(row.payload["values"]),
        ]
        sinks = {
            argmax.i: command.argmax,
            sums.i: command.sums,
            best.i: command.best.any(),
            lines: command.logits,
        }
        done = Signal(len(sinks))
        passed = Cat(~asked | sink.ready for sink, asked in sinks.items()) | done
        m.d.comb += row.ready.eq(walks & passed.all())
        for index, (sink, asked) in enumerate(sinks.items()):
            m.d.comb += sink.valid.eq(walks & row.valid & asked & ~done[index])
        with m.If(walks & row.valid):
            m.d.sync += done.eq(Mux(row.ready, 0, passed))

        with m.FSM():
            with m.State("idle"):
                m.d.comb += [
                    self.i_command.ready.eq(limit.i_command.ready),
                    limit.i_command.valid.eq(self.i_command.valid),
                ]
                with m.If(self.i_command.valid & self.i_command.ready):
                    m.d.sync += command.eq(offered)
                    m.next = "run"
            with m.State("run"):
                m.d.comb += [
                    self.o_run.valid.eq(command.logits),
                    self.o_run.payload.address.eq(command.logits_address),
                    self.o_run.payload.lines.eq(command.limit),
                ]
                with m.If(self.o_run.ready | ~command.logits):
                    m.next = "walk"
            with m.State("walk"):
                m.d.comb += [
                    walks.eq(1),
                    self.o_line.valid.eq(lines.valid),
                    self.o_line.payload.eq(lines.payload),
                    lines.ready.eq(self.o_line.ready),
                ]
                with m.If(row.valid & row.ready & row.payload.last):
                    m.next = "end"
            with m.State("end"):
                m.d.comb += summary.i_command.valid.eq(1)
                m.next = "summary"
            with m.State("summary"):
                for name in "o_run", "o_line":
                    outer, inner = getattr(self, name), getattr(summary, name)
                    m.d.comb += [
                        outer.valid.eq(inner.valid),
                        outer.payload.eq(inner.payload),
                        inner.ready.eq(outer.ready),
                    ]
                with m.If(summary.i_command.ready):
                    m.next = "idle"
        return m
