"""The splitter of runs of beats into bursts."""

from dataclasses import dataclass, field

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.memory.axi import AxiConfig

__all__ = ["BurstConfig", "BurstSplitter", "bursts"]


@dataclass(frozen=True, kw_only=True)
class BurstConfig:
    """Parameters of a :class:`BurstSplitter`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    axi: AxiConfig = field(default_factory=AxiConfig)
    max_beats: int = 256
    """Longest burst, a power of two; bursts also end at multiples of it."""
    count_width: int = 24
    """Width of a command's number of beats."""

    def __post_init__(self):
        check_power_of_two("max_beats", self.max_beats, 2, self.axi.page_beats)
        check_integer("count_width", self.count_width, 1, 40)

    @property
    def command(self) -> data.StructLayout:
        """Layout of a run: ``address`` in beats and the number of ``beats``."""
        return data.StructLayout(
            {
                "address": unsigned(self.axi.beat_address_width),
                "beats": unsigned(self.count_width),
            }
        )

    @property
    def burst(self) -> data.StructLayout:
        """A burst: ``address`` in bytes, ``length`` in beats less one, ``last`` of its run."""
        return data.StructLayout(
            {
                "address": unsigned(self.axi.address_width),
                "length": unsigned(8),
                "last": unsigned(1),
            }
        )


def bursts(config: BurstConfig, address: int, beats: int) -> list[tuple[int, int]]:
    """Golden model: the bursts of a run as (address in bytes, beats)."""
    cut = []
    while beats:
        length = min(beats, config.max_beats - address % config.max_beats)
        cut.append((address * config.axi.beat_bytes, length))
        address, beats = address + length, beats - length
    return cut


class BurstSplitter(wiring.Component):
    """Splits runs into bursts that never cross a multiple of ``max_beats`` beats, hence no page.

    Throughput: one burst a cycle, and a cycle between runs; a run of no beats takes one cycle and
    gives no burst. `i.ready` leaves a register. Latency: ``LATENCY``.

    Parameters
    ----------
    config
        Widths, and the longest burst.

    Members
    -------
    i : stream of ``config.command``
        Runs.
    o : stream of ``config.burst``
        Their bursts, in order.
    busy : out
        A run was accepted and some of its bursts were not.
    """

    LATENCY = 2
    """Cycles from the transfer of a run to the offer of its first burst."""

    i: stream.Interface
    o: stream.Interface
    busy: Signal

    def __init__(self, *, config: BurstConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.command)),
                "o": Out(stream.Signature(config.burst)),
                "busy": Out(1),
            }
        )

    @property
    def config(self) -> BurstConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        limit, low_bits = config.max_beats, exact_log2(config.max_beats)
        active = Signal()
        address = Signal(config.axi.beat_address_width, reset_less=True)
        left = Signal(config.count_width, reset_less=True)
        room = Signal(range(limit + 1), reset_less=True)
        burst = Signal(config.burst, reset_less=True)
        last, advance = Signal(), Signal()
        m.d.comb += [
            last.eq(left <= room),
            advance.eq(active & (~self.o.valid | self.o.ready)),
            self.i.ready.eq(~active),
            self.busy.eq(active | self.o.valid),
            self.o.payload.eq(burst),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(1),
                burst.address.eq(Cat(Const(0, config.axi.beat_bits), address)),
                burst.length.eq(Mux(last, left - 1, room - 1)),
                burst.last.eq(last),
                left.eq(left - room),
                room.eq(limit),
                address.eq(Cat(Const(0, low_bits), address[low_bits:] + 1)),
                active.eq(~last),
            ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                address.eq(self.i.payload.address),
                left.eq(self.i.payload.beats),
                room.eq(limit - self.i.payload.address[:low_bits]),
                active.eq(self.i.payload.beats != 0),
            ]
        return m
