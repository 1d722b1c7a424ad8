"""The writer of result lines to memory."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.head.line_run import RUN
from tercel_hw.head.result_config import ResultConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["ResultWriter"]

QUEUE_DEPTH = 4
"""Granules of the queue before the striped writer."""


class ResultWriter(wiring.Component):
    """Cuts lines into granules, each line's last padded with zeros; all bytes are written.

    Line l of a run begins at granule ``address * ports + l * line_granules``.

    One granule a cycle; ``LATENCY`` cycles from a line to its first granule; the next run is taken
    ``GAP`` cycles after a run's last line. A line waits until its run has been taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_run : In(stream.Signature(RUN))
        ``lines`` is at least 1. Taken when all lines of the previous run have left.
    i_line : In(stream.Signature(config.line))
    o_command : Out(stream.Signature(config.writer.command))
    o : Out(stream.Signature(config.writer.granule))
        Runs and granules for the striped writer.
    """

    LATENCY = 2
    GAP = 1

    i_run: stream.Interface
    i_line: stream.Interface
    o_command: stream.Interface
    o: stream.Interface

    def __init__(self, config: ResultConfig):
        self._config = config
        super().__init__(
            {
                "i_run": wiring.In(stream.Signature(RUN)),
                "i_line": wiring.In(stream.Signature(config.line)),
                "o_command": wiring.Out(stream.Signature(config.writer.command)),
                "o": wiring.Out(stream.Signature(config.writer.granule)),
            }
        )

    @property
    def config(self) -> ResultConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        granules, width = config.line_granules, 8 * config.writer.port_bytes
        m.submodules.queue = queue = ShallowFifo(unsigned(width), depth=QUEUE_DEPTH)
        # Lines of the run not yet taken, and if there are any; granules of the line not yet sent.
        lines, more = Signal.like(self.i_run.payload.lines), Signal()
        left = Signal(range(granules + 1))
        line = Signal(granules * width, reset_less=True)
        sent, ends = Signal(), Signal()

        run, command = self.i_run.payload, self.o_command
        m.d.comb += [
            self.i_run.ready.eq(~command.valid & ~more),
            ends.eq((left == 0) | (sent & (left == 1))),
            self.i_line.ready.eq(more & ends),
            sent.eq((left != 0) & queue.i.ready),
            queue.i.valid.eq(left != 0),
            queue.i.payload.eq(line),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.data.eq(queue.o.payload),
            self.o.payload.strobe.eq(~0),
            queue.o.ready.eq(self.o.ready),
        ]
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(self.i_run.valid & self.i_run.ready):
            m.d.sync += [
                lines.eq(run.lines),
                more.eq(1),
                command.valid.eq(1),
                command.payload.granule.eq(run.address << config.writer.port_bits),
                command.payload.granules.eq(run.lines * granules),
            ]
        with m.If(sent):
            m.d.sync += [left.eq(left - 1), line.eq(line >> width)]
        with m.If(self.i_line.valid & self.i_line.ready):
            m.d.sync += [lines.eq(lines - 1), more.eq(lines != 1)]
            m.d.sync += left.eq(granules)
        # Also without a line: its many enables do not wait for ``valid``.
        with m.If(self.i_line.ready):
            m.d.sync += line.eq(self.i_line.payload)
        return m
