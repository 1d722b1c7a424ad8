"""The reader of runs of beats over one AXI4 port."""

from dataclasses import dataclass, field

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer
from tercel_hw.memory.axi import Axi4Interface, Axi4Signature, drive_attributes
from tercel_hw.memory.burst import BurstConfig, BurstSplitter
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.memory.register_slice import RegisterSlice

__all__ = ["AxiReader", "ReaderConfig"]

ANSWERED, LEFT = 2, 5
"""Cycles from a burst's last beat, and from a leaving beat, to the request that replaces it."""


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """Parameters of an :class:`AxiReader`.

    The reader runs at full rate on a memory that answers within :attr:`full_rate_latency` cycles.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    burst: BurstConfig = field(default_factory=BurstConfig)
    outstanding: int = 8
    """Most bursts requested and not wholly answered."""
    buffer_beats: int = 512
    """Beats of the data FIFO: the most requested and not yet taken from ``o``."""

    def __post_init__(self):
        check_integer("outstanding", self.outstanding, 1, 256)
        check_integer("buffer_beats", self.buffer_beats, self.burst.max_beats, 1 << 16)

    @property
    def full_rate_latency(self) -> int:
        """Largest latency from a request to its first beat, in cycles, without an idle port.

        The limit is either the number of open bursts, or the space of the data FIFO that leaving
        beats return.
        """
        open_beats = (self.outstanding - 1) * self.burst.max_beats
        space = self.buffer_beats - self.burst.max_beats
        return max(0, min(open_beats - ANSWERED, space - LEFT))


class AxiReader(wiring.Component):
    """Reads runs of beats and delivers them in order as a stream.

    A burst is requested only when the data FIFO has space for all of it, so ``rready`` is always
    high. Every signal of the port leaves or enters a register. All bursts have the same identifier:
    answers come in order. A beat with an error is delivered like any other and its code kept in
    ``error``.

    Throughput: one beat a cycle, sustained over bursts and runs. Latency: ``LATENCY`` cycles from
    a run's transfer to its first request and ``DATA_LATENCY`` from a beat's arrival to its offer.

    Parameters
    ----------
    config
        Parameters of port, bursts and buffer.

    Members
    -------
    i_command : stream of ``config.burst.command``
        Runs: address in beats, number of beats.
    o : stream of ``data_width`` bits
        The beats of the runs.
    axi : AXI4 read channels
    busy : out
        Some beat of an accepted run has not left by ``o``.
    outstanding : out
        Some beat of a requested burst, accepted by the memory or not, has not arrived.
    error : out (2)
        Code of the first error response (2 SLVERR, 3 DECERR), else 0.
    clear : in
        Clears the error.
    """

    LATENCY = BurstSplitter.LATENCY + RegisterSlice.LATENCY
    DATA_LATENCY = 4

    i_command: stream.Interface
    o: stream.Interface
    axi: Axi4Interface
    busy: Signal
    outstanding: Signal
    error: Signal
    clear: Signal

    def __init__(self, *, config: ReaderConfig):
        self._config = config
        super().__init__(
            {
                "i_command": In(stream.Signature(config.burst.command)),
                "o": Out(stream.Signature(unsigned(config.burst.axi.data_width))),
                "axi": Out(Axi4Signature(config.burst.axi, write=False)),
                "busy": Out(1),
                "outstanding": Out(1),
                "error": Out(2),
                "clear": In(1),
            }
        )

    @property
    def config(self) -> ReaderConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, axi = self._config, self.axi
        width = config.burst.axi.data_width
        m.submodules.splitter = splitter = BurstSplitter(config=config.burst)
        m.submodules.beats = beats = StreamFifo(
            config=FifoConfig(width=width, depth=config.buffer_beats, ram_style="block")
        )
        connect(m, flipped(self.i_command), splitter.i)
        connect(m, beats.o, flipped(self.o))
        drive_attributes(m, axi, "ar", config.burst.axi.beat_bits)

        burst = splitter.o.payload
        length = Signal(range(config.burst.max_beats + 1))
        space = Signal(range(config.buffer_beats + 1), init=config.buffer_beats)
        open_bursts = Signal(range(config.outstanding + 1))
        issue, answered, left = Signal(), Signal(), Signal()
        m.submodules.requests = requests = RegisterSlice(config.burst.burst)
        arrived, last, response = Signal(), Signal(), Signal(2)
        beat = Signal(width, reset_less=True)
        m.d.sync += [
            arrived.eq(axi.rvalid),
            beat.eq(axi.rdata),
            last.eq(axi.rlast),
            response.eq(axi.rresp),
        ]
        m.d.comb += [
            length.eq(burst.length + 1),
            requests.i.valid.eq(
                splitter.o.valid & (space > burst.length) & (open_bursts != config.outstanding)
            ),
            requests.i.payload.eq(burst),
            issue.eq(requests.i.valid & requests.i.ready),
            splitter.o.ready.eq(issue),
            axi.arvalid.eq(requests.o.valid),
            axi.araddr.eq(requests.o.payload.address),
            axi.arlen.eq(requests.o.payload.length),
            requests.o.ready.eq(axi.arready),
            axi.rready.eq(1),
            beats.i.payload.eq(beat),
            beats.i.valid.eq(arrived),
            answered.eq(arrived & last),
            left.eq(self.o.valid & self.o.ready),
            self.outstanding.eq(open_bursts != 0),
            self.busy.eq(splitter.busy | (space != config.buffer_beats)),
        ]
        m.d.sync += [
            space.eq(space + left - Mux(issue, length, Const(0))),
            open_bursts.eq(open_bursts + issue - answered),
        ]
        with m.If(self.clear):
            m.d.sync += self.error.eq(0)
        with m.Elif(arrived & response[1] & (self.error == 0)):
            m.d.sync += self.error.eq(response)
        return m
