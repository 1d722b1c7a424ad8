"""The arbiter of two sources of results for one writer."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.head.config import HeadConfig
from tercel_hw.head.line_run import RUN

__all__ = ["RunMerge"]


class RunMerge(wiring.Component):
    """Arbiter of two sources, run by run: first come, first served; the lower one on a tie.

    The lines of a run pass combinationally after the run was taken from its source; the other
    source waits. One line a cycle; a run is offered 1 cycle after it was taken; the next is taken
    when all lines have passed.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_run : array of 2 streams of RUN
        ``lines`` is at least 1.
    i_line : array of 2 streams of ``config.floats``
    o_run, o_line
        Runs and lines for a :class:`ResultWriter`.
    """

    SOURCES = 2

    i_run: list[stream.Interface]
    i_line: list[stream.Interface]
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: HeadConfig):
        self._config = config
        runs, lines = stream.Signature(RUN), stream.Signature(config.floats)
        super().__init__(
            {
                "i_run": In(runs).array(self.SOURCES),
                "i_line": In(lines).array(self.SOURCES),
                "o_run": Out(runs),
                "o_line": Out(lines),
            }
        )

    @property
    def config(self) -> HeadConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out, line = self.o_run, self.o_line
        owner = Signal(range(self.SOURCES))
        left = Signal.like(out.payload.lines)
        # Whether lines are left is known from a register.
        active = Signal()
        free = ~out.valid & ~active
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(line.valid & line.ready):
            m.d.sync += [left.eq(left - 1), active.eq(left != 1)]
        for index, (run, lines) in enumerate(zip(self.i_run, self.i_line, strict=True)):
            earlier = self.i_run[0].valid if index else 0
            m.d.comb += run.ready.eq(free & ~earlier)
            with m.If(run.valid & run.ready):
                m.d.sync += [
                    out.valid.eq(1),
                    out.payload.eq(run.payload),
                    left.eq(run.payload.lines),
                    active.eq(1),
                    owner.eq(index),
                ]
            with m.If(active & (owner == index)):
                m.d.comb += [
                    line.valid.eq(lines.valid),
                    line.payload.eq(lines.payload),
                    lines.ready.eq(line.ready),
                ]
        return m
