"""A channel of words that requests no more from memory than its FIFO has room for."""

from dataclasses import dataclass, field, replace

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer, check_power_of_two, check_ram_style
from tercel_hw.memory.fifo import FifoConfig, StreamFifo
from tercel_hw.memory.prefetch import PrefetchConfig, TapePrefetcher
from tercel_hw.memory.striped import StripedConfig

__all__ = ["FetchChannel", "FetchConfig"]

READ_LATENCY = {"distributed": 0, "block": 2, "ultra": 3}
"""Cycles of a read by ``ram_style``; 1 if synthesis chooses the memory."""


@dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """Parameters of a :class:`FetchChannel`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    striped: StripedConfig = field(default_factory=StripedConfig)
    """Configuration of the reader that serves the channel: words and commands."""
    depth: int = 512
    """Words of the FIFO."""
    step: int = 64
    """Words of a step: a power of two, at most the readers' longest burst."""
    ram_style: str | None = "block"
    """Attribute of the memory: ``block``, ``distributed``, ``ultra`` or none."""

    def __post_init__(self):
        check_power_of_two("step", self.step, 2, self.striped.reader.burst.max_beats)
        check_integer("depth", self.depth, self.step, 1 << 20)
        check_ram_style(self.ram_style)

    @property
    def fifo(self) -> FifoConfig:
        return FifoConfig(
            width=self.striped.word_width,
            depth=self.depth,
            read_latency=READ_LATENCY.get(self.ram_style or "", 1),
            ram_style=self.ram_style,
        )

    @property
    def prefetch(self) -> PrefetchConfig:
        burst = replace(self.striped.reader.burst, max_beats=self.step)
        return PrefetchConfig(burst=burst, buffer_words=self.depth)

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a word into the empty FIFO to its offer."""
        return self.fifo.latency


class FetchChannel(wiring.Component):
    """A destination of a :class:`RoutedReader` that accepts every requested word at once.

    Runs are cut into steps, which end at multiples of ``step`` words; a step is requested when the
    FIFO has room for all of it. So a channel whose consumer stalls never blocks another channel.

    Throughput: one word a cycle while the memory answers a step within ``depth - step - 1``
    cycles.
    Latency: ``LATENCY`` cycles from the transfer of a run to the offer of its first step,
    ``config.latency`` from the transfer of a word to its offer.

    Parameters
    ----------
    config
        Parameters of reader, steps and FIFO.

    Members
    -------
    i_command : stream of ``config.striped.reader.burst.command``
        Runs: address in words, number of words (as ``beats``).
    o_command : stream of the same
        Steps.
    i : stream of words
        The words of all steps, in order.
    o : stream of words
    """

    LATENCY = TapePrefetcher.LATENCY

    i_command: stream.Interface
    o_command: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, config: FetchConfig):
        self._config = config
        runs = stream.Signature(config.striped.reader.burst.command)
        words = stream.Signature(unsigned(config.striped.word_width))
        super().__init__(
            {
                "i_command": In(runs),
                "o_command": Out(runs),
                "i": In(words),
                "o": Out(words),
            }
        )

    @property
    def config(self) -> FetchConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.prefetcher = prefetcher = TapePrefetcher(config=config.prefetch)
        m.submodules.fifo = fifo = StreamFifo(config=config.fifo)
        connect(m, flipped(self.i_command), prefetcher.i_command)
        connect(m, prefetcher.o_command, flipped(self.o_command))
        connect(m, flipped(self.i), fifo.i)
        connect(m, fifo.o, flipped(self.o))
        m.d.comb += prefetcher.left.eq(self.o.valid & self.o.ready)
        return m
