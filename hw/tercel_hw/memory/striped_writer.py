"""The writer of granules that are striped over several AXI4 ports."""

from dataclasses import dataclass, field

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from tercel_hw.checks import check_power_of_two
from tercel_hw.memory.axi import Axi4Interface, Axi4Signature
from tercel_hw.memory.burst import BurstSplitter
from tercel_hw.memory.writer import AxiWriter, WriterConfig

__all__ = ["StripedWriter", "StripedWriterConfig"]


@dataclass(frozen=True, kw_only=True)
class StripedWriterConfig:
    """Parameters of a :class:`StripedWriter`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    writer: WriterConfig = field(default_factory=lambda: WriterConfig(strobes=True))
    ports: int = 4

    def __post_init__(self):
        check_power_of_two("ports", self.ports, 1, 16)
        if not self.writer.strobes:
            raise ValueError("writer must have strobes")

    @property
    def port_bytes(self) -> int:
        """Bytes of a granule."""
        return self.writer.burst.axi.beat_bytes

    @property
    def port_bits(self) -> int:
        """Number of low bits of a granule's address that select its port."""
        return exact_log2(self.ports)

    @property
    def command(self) -> data.StructLayout:
        """Layout of a run: the first ``granule`` and the number of ``granules``."""
        burst = self.writer.burst
        return data.StructLayout(
            {
                "granule": unsigned(burst.axi.beat_address_width + self.port_bits),
                "granules": unsigned(burst.count_width),
            }
        )

    @property
    def granule(self) -> data.StructLayout:
        """Layout of a granule: ``data`` and ``strobe``, a bit for each byte that is written."""
        width = self.writer.burst.axi.data_width
        return data.StructLayout({"data": unsigned(width), "strobe": unsigned(width // 8)})

    @property
    def base(self) -> data.ArrayLayout:
        """Start of each port's region, in beats."""
        return data.ArrayLayout(unsigned(self.writer.burst.axi.beat_address_width), self.ports)


class StripedWriter(wiring.Component):
    """Writes granule g as beat ``g // ports`` of port ``g % ports``, from the port's base.

    Granules are taken after their run. Ports write independently of each other.

    Throughput: one granule a cycle, ``GAP`` cycles from run to run. Latency: ``LATENCY`` cycles
    from the transfer of a run, or ``DATA_LATENCY`` from that of a burst's last granule, to the
    burst's address.

    Parameters
    ----------
    config
        Number of ports and parameters of each one's writer.

    Members
    -------
    i_command : stream of ``config.command``
        Runs.
    i : stream of ``config.granule``
        The granules of all runs, one after the other.
    axi : array of AXI4 write channels
    base : in, array
        Start of each port's region in beats; must not change while ``busy``.
    busy : out
        Some granule of an accepted run is not confirmed by the memory.
    outstanding : out
        Some port has requested a burst that is not confirmed.
    errors : out, array of 2 bits
        First error code of each port, else 0.
    clear : in
        Clears the errors.
    """

    LATENCY = BurstSplitter.LATENCY + 2
    DATA_LATENCY = 2
    GAP = 1

    i_command: stream.Interface
    i: stream.Interface
    axi: list[Axi4Interface]
    base: data.View
    busy: Signal
    outstanding: Signal
    errors: data.View
    clear: Signal

    def __init__(self, *, config: StripedWriterConfig):
        self._config = config
        super().__init__(
            {
                "i_command": In(stream.Signature(config.command)),
                "i": In(stream.Signature(config.granule)),
                "axi": Out(Axi4Signature(config.writer.burst.axi, read=False)).array(config.ports),
                "base": In(config.base),
                "busy": Out(1),
                "outstanding": Out(1),
                "errors": Out(data.ArrayLayout(unsigned(2), config.ports)),
                "clear": In(1),
            }
        )

    @property
    def config(self) -> StripedWriterConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, command = self._config, self.i_command
        writers = [AxiWriter(config=config.writer) for _ in range(config.ports)]
        pending = Signal(config.ports)
        left = Signal(config.writer.burst.count_width)
        port = Signal(range(config.ports))
        active, loaded = Signal(), Signal()
        m.d.comb += [
            command.ready.eq((pending == 0) & ~active),
            loaded.eq(command.valid & command.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [left.eq(left - 1), port.eq(port + 1), active.eq(left != 1)]
        with m.If(loaded):
            m.d.sync += [
                left.eq(command.payload.granules),
                port.eq(self._port(command.payload.granule)),
                active.eq(command.payload.granules != 0),
            ]
        for index, writer in enumerate(writers):
            m.submodules[f"writer{index}"] = writer
            connect(m, writer.axi, flipped(self.axi[index]))
            chosen = active & (port == index)
            run = writer.i_command.payload
            part = Signal(config.writer.burst.command, name=f"part{index}", reset_less=True)
            m.d.comb += [
                run.eq(part),
                writer.i_command.valid.eq(pending[index]),
                writer.i.payload.eq(self.i.payload),
                writer.i.valid.eq(self.i.valid & chosen),
                writer.clear.eq(self.clear),
                self.errors[index].eq(writer.error),
            ]
            with m.If(chosen):
                m.d.comb += self.i.ready.eq(writer.i.ready)
            with m.If(writer.i_command.ready):
                m.d.sync += pending[index].eq(0)
            with m.If(loaded):
                self._load(m, part, index)
                m.d.sync += pending[index].eq(1)
        m.d.comb += [
            self.busy.eq(active | pending.any() | Cat(writer.busy for writer in writers).any()),
            self.outstanding.eq(Cat(writer.outstanding for writer in writers).any()),
        ]
        return m

    def _port(self, granule):
        return granule[: self._config.port_bits]

    def _load(self, m: Module, run: data.View, index: int) -> None:
        """Load the port's part of the run that is being transferred."""
        config, command = self._config, self.i_command.payload
        first = self._port(command.granule)
        # Number of the run's granules before the port's first.
        before = Signal(config.port_bits, name=f"before{index}")
        m.d.comb += before.eq(index - first)
        total = command.granules + (config.ports - 1) - before
        word = command.granule[config.port_bits :]
        m.d.sync += [
            run.address.eq(word + self.base[index] + Mux(first > index, 1, 0)),
            run.beats.eq(total >> config.port_bits),
        ]
