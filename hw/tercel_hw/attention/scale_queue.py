"""The queue of cache scales: words in, positions out."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.unit_config import AttentionUnitConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["ScaleQueue"]

TILES = 2


class ScaleQueue(wiring.Component):
    """Buffers two tiles of words of scales and delivers them position by position.

    A KV head's scales start on a word; the rest of their last word is dropped. Throughput: a
    position a cycle. Latency from a word to its first position: ``LATENCY``.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    positions : In(range(config.attention.positions + 1))
        Positions of a KV head; changes only while the queue is empty.
    i : In(stream.Signature(8 * word_bytes))
    o : Out(stream.Signature(config.attention.row_scales))
    """

    LATENCY = 2

    positions: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        super().__init__(
            {
                "positions": wiring.In(range(config.attention.positions + 1)),
                "i": wiring.In(stream.Signature(unsigned(8 * config.word_bytes))),
                "o": wiring.Out(stream.Signature(config.attention.row_scales)),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = TILES * config.tile_scale_words
        m.submodules.words = words = ShallowFifo(unsigned(8 * config.word_bytes), depth=depth)
        wiring.connect(m, wiring.flipped(self.i), words.i)
        word = Signal(data.ArrayLayout(config.attention.row_scales, config.word_positions))
        place = Signal(range(config.word_positions))
        position = Signal(range(config.attention.positions))
        # Known from registers that this position, or any, is the last of its head.
        taken, last, only = Signal(), Signal(), Signal(reset_less=True)
        row_scales = Signal(config.attention.row_scales, reset_less=True)
        m.d.sync += [only.eq(self.positions == 1), last.eq(position + 1 == self.positions)]
        m.d.comb += [
            word.eq(words.o.payload),
            self.o.payload.eq(row_scales),
            taken.eq(words.o.valid & (~self.o.valid | self.o.ready)),
            words.o.ready.eq(taken & (last | (place == config.word_positions - 1))),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(taken):
            m.d.sync += [
                self.o.valid.eq(1),
                row_scales.eq(word[place]),
                place.eq(Mux(words.o.ready, 0, place + 1)),
                position.eq(Mux(last, 0, position + 1)),
                last.eq(Mux(last, only, position + 2 == self.positions)),
            ]
        return m
