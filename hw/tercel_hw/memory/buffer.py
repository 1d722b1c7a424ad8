"""The tape buffer: words prefetched while the engine is busy elsewhere."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory.checks import check_integer
from tercel_hw.memory.fifo import FifoConfig, StreamFifo

__all__ = ["TapeBuffer", "TapeBufferConfig"]

URAM_WIDTH, URAM_DEPTH = 72, 4096
"""A block of UltraRAM."""


@dataclass(frozen=True, kw_only=True)
class TapeBufferConfig:
    """Shape of a :class:`TapeBuffer`.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    word_bytes: int = 64
    words: int = 7 * URAM_DEPTH
    """Words of the memory."""
    ultra_words: int = URAM_DEPTH
    """From this many words on the memory is UltraRAM, below block RAM."""

    def __post_init__(self):
        check_integer("word_bytes", self.word_bytes, 1, 1024)
        check_integer("words", self.words, 2, 1 << 20)
        check_integer("ultra_words", self.ultra_words, 1, 1 << 20)

    @property
    def ultra(self) -> bool:
        return self.words >= self.ultra_words

    @property
    def uram_blocks(self) -> int:
        """Most blocks of UltraRAM, 72 bits by 4096 words each: 64-byte words leave 11 % unused."""
        if not self.ultra:
            return 0
        return -(-8 * self.word_bytes // URAM_WIDTH) * -(-self.words // URAM_DEPTH)

    @property
    def fifo(self) -> FifoConfig:
        """UltraRAM gets two output registers: one of its own, one behind the column."""
        return FifoConfig(
            width=8 * self.word_bytes,
            depth=self.words,
            read_latency=3 if self.ultra else 2,
            ram_style="ultra" if self.ultra else "block",
        )

    @property
    def latency(self) -> int:
        """Cycles from taking a word into the empty buffer to offering it."""
        return self.fifo.latency


class TapeBuffer(wiring.Component):
    """A deep FIFO of tape words.

    Throughput: one word in and one word out per cycle. Latency: ``config.latency``.

    Parameters
    ----------
    config
        Word, depth and kind of memory; :func:`tape_buffer_words` says how many words a pass needs.

    Members
    -------
    i, o : streams of ``8 * word_bytes`` bits
        Words in, words out.
    level : out
        Words inside.
    starved : out
        The taker is ready and no word is offered: a cycle of tape stall.
    """

    i: stream.Interface
    o: stream.Interface
    level: Signal
    starved: Signal

    def __init__(self, *, config: TapeBufferConfig):
        self._config = config
        words = stream.Signature(unsigned(8 * config.word_bytes))
        super().__init__(
            {
                "i": In(words),
                "o": Out(words),
                "level": Out(range(config.fifo.capacity + 1)),
                "starved": Out(1),
            }
        )

    @property
    def config(self) -> TapeBufferConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = StreamFifo(config=self._config.fifo)
        connect(m, flipped(self.i), fifo.i)
        connect(m, fifo.o, flipped(self.o))
        m.d.comb += [
            self.level.eq(fifo.level),
            self.starved.eq(self.o.ready & ~self.o.valid),
        ]
        return m
