"""The arbiter of two sources of granules for one striped writer."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory.striped_writer import StripedWriter, StripedWriterConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["WriteMerge"]


class WriteMerge(wiring.Component):
    """Arbiter of two sources, run by run: first come, first served; the lower one on a tie.

    The granules of a run pass after its command was taken from its source; the other source waits.
    They pass through a queue, so that no path leads from the ports to the sources; until the queue
    is empty the striped writer is busy with their run.

    Throughput: one granule a cycle, ``GAP`` cycles from run to run at the striped writer: the next
    run's granules wait in the queue by then.
    Latency: ``LATENCY`` of commands and granules.

    Parameters
    ----------
    config
        Configuration of the :class:`StripedWriter` that takes the runs.

    Members
    -------
    i_command : array of 2 streams of ``config.command``
    i : array of 2 streams of ``config.granule``
    o_command, o
        Commands and granules for the striped writer.
    busy : out
        Some granule of an accepted run has not been taken from its source.
    """

    ASKERS = 2
    LATENCY = 1
    GAP = StripedWriter.GAP

    i_command: list[stream.Interface]
    i: list[stream.Interface]
    o_command: stream.Interface
    o: stream.Interface
    busy: Signal

    def __init__(self, *, config: StripedWriterConfig):
        self._config = config
        runs, granules = stream.Signature(config.command), stream.Signature(config.granule)
        super().__init__(
            {
                "i_command": In(runs).array(self.ASKERS),
                "i": In(granules).array(self.ASKERS),
                "o_command": Out(runs),
                "o": Out(granules),
                "busy": Out(1),
            }
        )

    @property
    def config(self) -> StripedWriterConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        run = self.o_command
        owner = Signal(range(self.ASKERS))
        left = Signal(self._config.writer.burst.count_width)
        active = Signal()
        m.submodules.queue = queue = ShallowFifo(self._config.granule, depth=2)
        connect(m, queue.o, flipped(self.o))
        m.d.comb += self.busy.eq(active | run.valid)
        with m.If(run.ready):
            m.d.sync += run.valid.eq(0)
        with m.If(queue.i.valid & queue.i.ready):
            m.d.sync += [left.eq(left - 1), active.eq(left != 1)]
        for index, (command, granules) in enumerate(zip(self.i_command, self.i, strict=True)):
            earlier = self.i_command[0].valid if index else 0
            m.d.comb += command.ready.eq(~self.busy & ~earlier)
            with m.If(command.valid & command.ready):
                m.d.sync += [
                    run.payload.eq(command.payload),
                    run.valid.eq(1),
                    left.eq(command.payload.granules),
                    active.eq(command.payload.granules != 0),
                    owner.eq(index),
                ]
            with m.If(active & (owner == index)):
                m.d.comb += [
                    queue.i.payload.eq(granules.payload),
                    queue.i.valid.eq(granules.valid),
                    granules.ready.eq(queue.i.ready),
                ]
        return m
