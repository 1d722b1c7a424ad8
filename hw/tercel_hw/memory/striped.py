"""The reader of words that are striped over several AXI4 ports."""

from dataclasses import dataclass, field

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer
from tercel_hw.memory.axi import Axi4Interface, Axi4Signature
from tercel_hw.memory.reader import AxiReader, ReaderConfig

__all__ = ["StripedConfig", "StripedReader"]


@dataclass(frozen=True, kw_only=True)
class StripedConfig:
    """Parameters of a :class:`StripedReader`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    reader: ReaderConfig = field(default_factory=ReaderConfig)
    ports: int = 4

    def __post_init__(self):
        check_integer("ports", self.ports, 1, 16)

    @property
    def word_width(self) -> int:
        return self.ports * self.reader.burst.axi.data_width

    @property
    def base(self) -> data.ArrayLayout:
        """Start of each port's region, in beats."""
        width = self.reader.burst.axi.beat_address_width
        return data.ArrayLayout(unsigned(width), self.ports)


class StripedReader(wiring.Component):
    """Reads a run of words as the same run of beats on every port, each from its own base.

    Port p's beat is bits ``[p*data_width, (p+1)*data_width)`` of the word. Ports may run apart by
    the capacity of a reader's data FIFO.

    Throughput: one word a cycle, sustained over runs; a run is taken every other cycle at most.
    Latency: ``LATENCY`` cycles from a run's transfer to its first requests, ``DATA_LATENCY`` from
    the arrival of a word's last beat to its offer.

    Parameters
    ----------
    config
        Number of ports and parameters of each one's reader.

    Members
    -------
    i_command : stream of ``config.reader.burst.command``
        Runs: address in words, number of words (as ``beats``).
    o : stream of ``config.word_width`` bits
        The words of the runs.
    axi : array of AXI4 read channels
    base : in, array
        Start of each port's region in beats; must not change while ``busy``.
    busy : out
        Some word of an accepted run has not left by ``o``.
    outstanding : out
        Some port has requested a beat that has not arrived.
    errors : out, array of 2 bits
        First error code of each port, else 0.
    clear : in
        Clears the errors.
    """

    LATENCY = AxiReader.LATENCY + 1
    DATA_LATENCY = AxiReader.DATA_LATENCY

    i_command: stream.Interface
    o: stream.Interface
    axi: list[Axi4Interface]
    base: data.View
    busy: Signal
    outstanding: Signal
    errors: data.View
    clear: Signal

    def __init__(self, *, config: StripedConfig):
        self._config = config
        burst = config.reader.burst
        super().__init__(
            {
                "i_command": In(stream.Signature(burst.command)),
                "o": Out(stream.Signature(unsigned(config.word_width))),
                "axi": Out(Axi4Signature(burst.axi, write=False)).array(config.ports),
                "base": In(config.base),
                "busy": Out(1),
                "outstanding": Out(1),
                "errors": Out(data.ArrayLayout(unsigned(2), config.ports)),
                "clear": In(1),
            }
        )

    @property
    def config(self) -> StripedConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.i_command
        readers = [AxiReader(config=config.reader) for _ in range(config.ports)]
        pending = Signal(config.ports)
        m.d.comb += command.ready.eq(pending == 0)
        for port, reader in enumerate(readers):
            m.submodules[f"reader{port}"] = reader
            connect(m, reader.axi, flipped(self.axi[port]))
            run = reader.i_command
            part = Signal(config.reader.burst.command, name=f"part{port}", reset_less=True)
            m.d.comb += [
                run.valid.eq(pending[port]),
                run.payload.eq(part),
                reader.clear.eq(self.clear),
                self.errors[port].eq(reader.error),
            ]
            with m.If(run.ready):
                m.d.sync += pending[port].eq(0)
            with m.If(command.valid & command.ready):
                m.d.sync += [
                    pending[port].eq(1),
                    part.address.eq(command.payload.address + self.base[port]),
                    part.beats.eq(command.payload.beats),
                ]
        joined = Signal()
        m.d.comb += [
            joined.eq(Cat(reader.o.valid for reader in readers).all()),
            self.o.valid.eq(joined),
            self.o.payload.eq(Cat(reader.o.payload for reader in readers)),
            self.busy.eq(pending.any() | Cat(reader.busy for reader in readers).any()),
            self.outstanding.eq(Cat(reader.outstanding for reader in readers).any()),
        ]
        m.d.comb += [reader.o.ready.eq(joined & self.o.ready) for reader in readers]
        return m
