"""The prefetcher of the tape, which requests only words that the tape buffer has room for."""

from dataclasses import dataclass, field

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.checks import check_integer
from tercel_hw.memory.burst import BurstConfig, BurstSplitter

__all__ = ["PrefetchConfig", "TapePrefetcher"]


@dataclass(frozen=True, kw_only=True)
class PrefetchConfig:
    """Parameters of a :class:`TapePrefetcher`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    burst: BurstConfig = field(default_factory=BurstConfig)
    """Bursts of the readers: a step is a burst on every port."""
    buffer_words: int = 7 * 4096
    """Capacity of the tape buffer in words."""

    def __post_init__(self):
        check_integer("buffer_words", self.buffer_words, self.burst.max_beats, 1 << 20)


class TapePrefetcher(wiring.Component):
    """Cuts runs of tape into steps; issues a step when the buffer has room for all of it.

    So the tape never blocks the other channels of its ports, however long the engine takes none.

    Throughput: a step every other cycle. Latency: ``LATENCY`` from a run's transfer to its first
    step. The room of a word that left counts a cycle later.

    Parameters
    ----------
    config
        Parameters of steps and buffer.

    Members
    -------
    i_command : stream of ``config.burst.command``
        Runs of tape: address in words, number of words.
    o_command : stream of ``config.burst.command``
        Steps.
    left : in
        A word leaves the tape buffer.
    """

    LATENCY = BurstSplitter.LATENCY + 2

    i_command: stream.Interface
    o_command: stream.Interface
    left: Signal

    def __init__(self, *, config: PrefetchConfig):
        self._config = config
        runs = stream.Signature(config.burst.command)
        super().__init__(
            {
                "i_command": In(runs),
                "o_command": Out(runs),
                "left": In(1),
            }
        )

    @property
    def config(self) -> PrefetchConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, step = self._config, self.o_command
        m.submodules.splitter = splitter = BurstSplitter(config=config.burst)
        connect(m, flipped(self.i_command), splitter.i)
        words = Signal(range(config.burst.max_beats + 1))
        space = Signal(range(config.buffer_words + 1), init=config.buffer_words)
        # There is room for the step; known a cycle later, which a step takes anyway.
        enough, issue, returned = Signal(), Signal(), Signal()
        m.d.comb += [
            words.eq(splitter.o.payload.length + 1),
            issue.eq(enough & ~step.valid),
            splitter.o.ready.eq(issue),
        ]
        m.d.sync += enough.eq(splitter.o.valid & ~issue & (space > splitter.o.payload.length))
        with m.If(step.ready):
            m.d.sync += step.valid.eq(0)
        with m.If(issue):
            m.d.sync += [
                step.valid.eq(1),
                step.payload.address.eq(splitter.o.payload.address[config.burst.axi.beat_bits :]),
                step.payload.beats.eq(words),
            ]
        m.d.sync += [
            returned.eq(self.left),
            space.eq(space + returned - Mux(issue, words, 0)),
        ]
        return m
