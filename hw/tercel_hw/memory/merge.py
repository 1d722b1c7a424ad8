"""The arbiter of the runs of several channels for one reader."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.memory.router import RoutedConfig

__all__ = ["CommandMerge"]


class CommandMerge(wiring.Component):
    """Arbiter with fixed priority: the lowest destination that offers a run is served first.

    Throughput: a run every other cycle, as the reader takes them. Latency: ``LATENCY``.

    Parameters
    ----------
    config
        Configuration of the :class:`RoutedReader` that takes the runs.

    Members
    -------
    i : array of streams of ``config.striped.reader.burst.command``, one a destination
        Runs.
    o : stream of ``config.command``
        The same runs with their destinations.
    """

    LATENCY = 1

    i: list[stream.Interface]
    o: stream.Interface

    def __init__(self, *, config: RoutedConfig):
        self._config = config
        runs = stream.Signature(config.striped.reader.burst.command)
        super().__init__(
            {
                "i": In(runs).array(config.destinations),
                "o": Out(stream.Signature(config.command)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        free = Signal()
        output: data.View = self.o.payload
        m.d.comb += free.eq(~self.o.valid)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        for index, run in enumerate(self.i):
            before = self.i[:index]
            waiting = Signal(name=f"waiting{index}")
            for other in before:
                with m.If(other.valid):
                    m.d.comb += waiting.eq(1)
            m.d.comb += run.ready.eq(free & ~waiting)
            with m.If(run.valid & run.ready):
                m.d.sync += [
                    self.o.valid.eq(1),
                    output.address.eq(run.payload.address),
                    output.beats.eq(run.payload.beats),
                    output.destination.eq(index),
                ]
        return m
