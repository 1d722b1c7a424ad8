"""The dump of a float row as result lines."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring

from tercel_hw.head.line_run import RUN
from tercel_hw.vector.config import VectorConfig, command_layout

__all__ = ["Dump"]


class Dump(wiring.Component):
    """Sends a row as one run of lines, a line an element; one a cycle, no latency.

    Parameters
    ----------
    config
        Parameters of the rows.

    Members
    -------
    i_command : In(stream.Signature(command_layout("dump")))
        Taken when the previous row has left and the next is available: a run without lines would
        block the other source of the writer.
    i : In(stream.Signature(config.row))
        ``width`` elements for each command; ``last`` ends a row.
    o_run : Out(stream.Signature(RUN))
        The run, taken before the first line passes.
    o_line : Out(stream.Signature(config.floats))
    """

    i_command: stream.Interface
    i: stream.Interface
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: VectorConfig):
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("dump"))),
                "i": wiring.In(stream.Signature(config.row)),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(config.floats)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered, run = self.i_command.payload, self.o_run
        sweeps = Signal()
        m.d.comb += [
            self.i_command.ready.eq(~run.valid & ~sweeps & self.i.valid),
            self.o_line.valid.eq(sweeps & self.i.valid),
            self.o_line.payload.eq(self.i.payload["values"]),
            self.i.ready.eq(sweeps & self.o_line.ready),
        ]
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                run.valid.eq(1),
                run.payload.address.eq(offered.address),
                run.payload.lines.eq(offered.width),
            ]
        with m.If(run.valid & run.ready):
            m.d.sync += [run.valid.eq(0), sweeps.eq(1)]
        with m.If(self.i.valid & self.i.ready & self.i.payload.last):
            m.d.sync += sweeps.eq(0)
        return m
