"""The reader of runs of words for several destinations over the same ports."""

from dataclasses import dataclass, field

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from tercel_hw.checks import check_integer
from tercel_hw.memory.axi import Axi4Interface, Axi4Signature
from tercel_hw.memory.register_slice import RegisterSlice
from tercel_hw.memory.striped import StripedConfig, StripedReader
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["RoutedConfig", "RoutedReader"]


@dataclass(frozen=True, kw_only=True)
class RoutedConfig:
    """Parameters of a :class:`RoutedReader`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    striped: StripedConfig = field(default_factory=StripedConfig)
    destinations: int = 2
    runs: int = 8
    """Most accepted runs whose words have not all left."""

    def __post_init__(self):
        check_integer("destinations", self.destinations, 1, 16)
        check_integer("runs", self.runs, 2, 256)

    @property
    def command(self) -> data.StructLayout:
        """Layout of a run: ``address`` in words, number of words as ``beats``, ``destination``."""
        burst = self.striped.reader.burst
        return data.StructLayout(
            {
                "address": unsigned(burst.axi.beat_address_width),
                "beats": unsigned(burst.count_width),
                "destination": self._destination,
            }
        )

    @property
    def route(self) -> data.StructLayout:
        """Layout of a queued run: its destination and the number of its last word."""
        return data.StructLayout(
            {
                "last": unsigned(self.striped.reader.burst.count_width),
                "destination": self._destination,
            }
        )

    @property
    def _destination(self):
        return unsigned(bits_for(self.destinations - 1))


class RoutedReader(wiring.Component):
    """A :class:`StripedReader` whose runs have destinations: tape buffer, KV cache, program.

    Words come in the order of the runs; a destination that does not take its words blocks all words
    behind them. So a destination must request a run only when it will take the words independently
    of the others.

    Throughput: one word a cycle, also from one destination to another. Latency: ``LATENCY`` and
    ``DATA_LATENCY`` as the striped reader's, words a register later: each is held with its
    destination, so no path leads from a destination to the ports' queues.

    Parameters
    ----------
    config
        Parameters of the reader and its destinations.

    Members
    -------
    i_command : stream of ``config.command``
        Runs. Runs of no words are dropped.
    o : array of streams of words, one a destination
    axi, base, busy, outstanding, errors, clear
        As the striped reader's.
    """

    LATENCY = StripedReader.LATENCY
    DATA_LATENCY = StripedReader.DATA_LATENCY + RegisterSlice.LATENCY

    i_command: stream.Interface
    o: list[stream.Interface]
    axi: list[Axi4Interface]
    base: data.View
    busy: Signal
    outstanding: Signal
    errors: data.View
    clear: Signal

    def __init__(self, *, config: RoutedConfig):
        self._config = config
        striped = config.striped
        words = stream.Signature(unsigned(striped.word_width))
        super().__init__(
            {
                "i_command": In(stream.Signature(config.command)),
                "o": Out(words).array(config.destinations),
                "axi": Out(Axi4Signature(striped.reader.burst.axi, write=False)).array(
                    striped.ports
                ),
                "base": In(striped.base),
                "busy": Out(1),
                "outstanding": Out(1),
                "errors": Out(data.ArrayLayout(unsigned(2), striped.ports)),
                "clear": In(1),
            }
        )

    @property
    def config(self) -> RoutedConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.i_command
        m.submodules.reader = reader = StripedReader(config=config.striped)
        m.submodules.routes = routes = fifo.SyncFIFOBuffered(
            width=config.route.size, depth=config.runs
        )
        for port in range(config.striped.ports):
            connect(m, reader.axi[port], flipped(self.axi[port]))
        run, empty = reader.i_command, Signal()
        taken = data.View(config.route, routes.w_data)
        m.d.comb += [
            empty.eq(command.payload.beats == 0),
            run.payload.address.eq(command.payload.address),
            run.payload.beats.eq(command.payload.beats),
            run.valid.eq(command.valid & routes.w_rdy & ~empty),
            command.ready.eq(empty | (run.ready & routes.w_rdy)),
            taken.last.eq(command.payload.beats - 1),
            taken.destination.eq(command.payload.destination),
            routes.w_en.eq(run.valid & run.ready),
            reader.base.eq(self.base),
            reader.clear.eq(self.clear),
            self.errors.eq(reader.errors),
            self.busy.eq(reader.busy | Cat(output.valid for output in self.o).any()),
            self.outstanding.eq(reader.outstanding),
        ]
        self._route(m, reader.o, routes)
        return m

    def _route(self, m: Module, words: stream.Interface, routes: fifo.SyncFIFOBuffered) -> None:
        """Send the words of the first run to its destination; count them."""
        # Two queues in step: the choice leaves a register, the word needs no enables.
        m.submodules.choice = choice = RegisterSlice(unsigned(len(self.o)))
        m.submodules.words = held = ShallowFifo(words.payload.shape(), depth=2)
        route = data.View(self._config.route, routes.r_data)
        sent = Signal(self._config.striped.reader.burst.count_width)
        gone = Signal()
        last = sent == route.last
        m.d.comb += [
            held.i.payload.eq(words.payload),
            choice.i.payload.eq(1 << route.destination),
            held.i.valid.eq(words.valid & routes.r_rdy),
            choice.i.valid.eq(held.i.valid),
            words.ready.eq(held.i.ready & routes.r_rdy),
            held.o.ready.eq(Cat(output.valid & output.ready for output in self.o).any()),
            choice.o.ready.eq(held.o.ready),
        ]
        for index, output in enumerate(self.o):
            m.d.comb += [
                output.payload.eq(held.o.payload),
                output.valid.eq(choice.o.valid & choice.o.payload[index]),
            ]
        m.d.comb += [gone.eq(words.valid & words.ready), routes.r_en.eq(gone & last)]
        with m.If(gone):
            m.d.sync += sent.eq(Mux(last, 0, sent + 1))
