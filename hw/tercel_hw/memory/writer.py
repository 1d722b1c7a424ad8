"""The writer of runs of beats over one AXI4 port."""

from dataclasses import dataclass, field

from amaranth.hdl import Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.memory.axi import Axi4Interface, Axi4Signature, drive_attributes
from tercel_hw.memory.burst import BurstConfig, BurstSplitter
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.memory.register_slice import RegisterSlice

__all__ = ["AxiWriter", "WriterConfig"]


@dataclass(frozen=True, kw_only=True)
class WriterConfig:
    """Parameters of an :class:`AxiWriter`.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    burst: BurstConfig = field(default_factory=lambda: BurstConfig(max_beats=64))
    outstanding: int = 8
    """Most bursts requested and not confirmed: a power of two."""
    buffer_beats: int = 128
    """Beats of the data FIFO; a burst waits there until it is complete."""
    strobes: bool = False
    """True if beats carry byte strobes; else all bytes are written."""

    def __post_init__(self):
        check_power_of_two("outstanding", self.outstanding, 2, 256)
        check_integer("buffer_beats", self.buffer_beats, self.burst.max_beats, 1 << 16)
        if not isinstance(self.strobes, bool):
            raise TypeError(f"strobes must be a bool, not {self.strobes!r}")

    @property
    def beat(self) -> Shape | data.StructLayout:
        """Layout of a beat: its bits, or with strobes ``data`` and ``strobe``, a bit a byte."""
        width = self.burst.axi.data_width
        if not self.strobes:
            return unsigned(width)
        return data.StructLayout({"data": unsigned(width), "strobe": unsigned(width // 8)})


class AxiWriter(wiring.Component):
    """Writes a stream of beats to runs of addresses.

    Every signal of the port leaves or enters a register. A burst is requested once all of its beats
    are in the data FIFO, so a slow source never stalls the memory. The beats of a run may come
    before, with or after its command.

    Throughput: one beat a cycle, sustained over bursts and runs when ``buffer_beats`` is at least
    twice the longest burst.

    Parameters
    ----------
    config
        Parameters of port, bursts and buffer.

    Members
    -------
    i_command : stream of ``config.burst.command``
        Runs: address in beats, number of beats.
    i : stream of ``config.beat``
        The beats of all runs, one after the other.
    axi : AXI4 write channels
    busy : out
        Some beat of an accepted run is not confirmed by the memory. A beat without a run does not
        count.
    outstanding : out
        Some requested burst, accepted by the memory or not, is not confirmed.
    error : out (2)
        Code of the first error response (2 SLVERR, 3 DECERR), else 0.
    clear : in
        Clears the error.
    """

    i_command: stream.Interface
    i: stream.Interface
    axi: Axi4Interface
    busy: Signal
    outstanding: Signal
    error: Signal
    clear: Signal

    def __init__(self, *, config: WriterConfig):
        self._config = config
        super().__init__(
            {
                "i_command": In(stream.Signature(config.burst.command)),
                "i": In(stream.Signature(config.beat)),
                "axi": Out(Axi4Signature(config.burst.axi, read=False)),
                "busy": Out(1),
                "outstanding": Out(1),
                "error": Out(2),
                "clear": In(1),
            }
        )

    @property
    def config(self) -> WriterConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, axi = self._config, self.axi
        width = Shape.cast(config.beat).width
        m.submodules.splitter = splitter = BurstSplitter(config=config.burst)
        m.submodules.beats = beats = StreamFifo(
            config=FifoConfig(width=width, depth=config.buffer_beats, ram_style="block")
        )
        m.submodules.lengths = lengths = memory.Memory(
            shape=unsigned(8), depth=config.outstanding, init=[]
        )
        enter, leave = lengths.write_port(), lengths.read_port(domain="comb")
        connect(m, flipped(self.i_command), splitter.i)
        m.d.comb += [
            beats.i.payload.eq(Value.cast(self.i.payload)),
            beats.i.valid.eq(self.i.valid),
            self.i.ready.eq(beats.i.ready),
        ]
        drive_attributes(m, axi, "aw", config.burst.axi.beat_bits)

        burst = splitter.o.payload
        length = Signal(range(config.burst.max_beats + 1))
        complete = Signal(range(beats.config.capacity + 1))
        unconfirmed = Signal(range(config.outstanding + 1))
        unsent = Signal(range(config.outstanding + 1))
        issue, taken, sent, confirmed = Signal(), Signal(), Signal(), Signal()
        response = Signal(2)
        m.submodules.requests = requests = RegisterSlice(config.burst.burst)
        m.submodules.leaving = leaving = RegisterSlice(
            data.StructLayout(
                {"data": unsigned(len(axi.wdata)), "strobe": unsigned(len(axi.wstrb)), "last": 1}
            )
        )
        m.d.comb += [
            length.eq(burst.length + 1),
            requests.i.valid.eq(
                splitter.o.valid & (complete > burst.length) & (unconfirmed != config.outstanding)
            ),
            requests.i.payload.eq(burst),
            issue.eq(requests.i.valid & requests.i.ready),
            splitter.o.ready.eq(issue),
            axi.awvalid.eq(requests.o.valid),
            axi.awaddr.eq(requests.o.payload.address),
            axi.awlen.eq(requests.o.payload.length),
            requests.o.ready.eq(axi.awready),
            taken.eq(self.i.valid & self.i.ready),
            axi.bready.eq(1),
            self.outstanding.eq(unconfirmed != 0),
            self.busy.eq(splitter.busy | self.outstanding),
        ]
        m.d.sync += [
            confirmed.eq(axi.bvalid),
            response.eq(axi.bresp),
            complete.eq(complete + taken - Mux(issue, length, 0)),
            unconfirmed.eq(unconfirmed + issue - confirmed),
            unsent.eq(unsent + issue - sent),
        ]

        beat = Signal(8)
        strobe = beats.o.payload[len(axi.wdata) :] if config.strobes else ~0
        m.d.comb += [
            enter.data.eq(burst.length),
            enter.en.eq(issue),
            leaving.i.valid.eq(beats.o.valid & (unsent != 0)),
            leaving.i.payload.data.eq(beats.o.payload[: len(axi.wdata)]),
            leaving.i.payload.strobe.eq(strobe),
            leaving.i.payload.last.eq(beat == leave.data),
            beats.o.ready.eq(leaving.i.ready & (unsent != 0)),
            sent.eq(leaving.i.valid & leaving.i.ready & leaving.i.payload.last),
            axi.wvalid.eq(leaving.o.valid),
            axi.wdata.eq(leaving.o.payload.data),
            axi.wstrb.eq(leaving.o.payload.strobe),
            axi.wlast.eq(leaving.o.payload.last),
            leaving.o.ready.eq(axi.wready),
        ]
        m.d.sync += [enter.addr.eq(enter.addr + issue), leave.addr.eq(leave.addr + sent)]
        with m.If(leaving.i.valid & leaving.i.ready):
            m.d.sync += beat.eq(Mux(leaving.i.payload.last, 0, beat + 1))

        with m.If(self.clear):
            m.d.sync += self.error.eq(0)
        with m.Elif(confirmed & response[1] & (self.error == 0)):
            m.d.sync += self.error.eq(response)
        return m
