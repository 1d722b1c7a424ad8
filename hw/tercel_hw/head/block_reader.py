"""The reader of the head's tape, which separates row scales and rows."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel.image.layout import ROW_BLOCK
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["BlockReader"]

BLOCKS = 4
"""Row blocks whose scales are queued: a block may begin while earlier rows are in the engine."""


class BlockReader(wiring.Component):
    """Splits blocks of 16 rows: words of row scales to a queue, words of rows to the engine.

    One word a cycle; a row's word passes combinationally. The scales of a block leave one a cycle;
    the first is offered 2 cycles after its word was taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(config.sweep))
        ``rows`` is a multiple of 16.
    i : In(stream.Signature(config.word))
    o_row : Out(stream.Signature(config.dense.beat))
    o_scale : Out(stream.Signature(32))
        One for each row.
    """

    i_command: stream.Interface
    i: stream.Interface
    o_row: stream.Interface
    o_scale: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.sweep)),
                "i": wiring.In(stream.Signature(unsigned(config.word))),
                "o_row": wiring.Out(stream.Signature(config.dense.beat)),
                "o_scale": wiring.Out(stream.Signature(FLOAT32_BITS)),
            }
        )

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.words = words = ShallowFifo(
            unsigned(config.word_scales * FLOAT32_BITS), depth=config.scale_words
        )
        m.submodules.queue = queue = ShallowFifo(unsigned(FLOAT32_BITS), depth=BLOCKS * ROW_BLOCK)
        wiring.connect(m, queue.o, wiring.flipped(self.o_scale))
        running, taken, last_place = Signal(), Signal(), Signal()
        scales = Signal(init=1)
        place = Signal(range(max(config.dense.slices, config.scale_words)))
        last_beat = Signal.like(place)
        row = Signal(range(ROW_BLOCK))
        blocks = Signal(range(config.head.played_rows // ROW_BLOCK + 1))
        m.d.comb += [
            self.i_command.ready.eq(~running),
            self.i.ready.eq(running & Mux(scales, words.i.ready, self.o_row.ready)),
            taken.eq(self.i.valid & self.i.ready),
            words.i.payload.eq(self.i.payload),
            words.i.valid.eq(taken & scales),
            self.o_row.valid.eq(running & ~scales & self.i.valid),
            self.o_row.payload.eq(self.i.payload),
            last_place.eq(place == Mux(scales, config.scale_words - 1, last_beat)),
        ]
        with m.If(taken):
            m.d.sync += place.eq(Mux(last_place, 0, place + 1))
            with m.If(last_place):
                m.d.sync += scales.eq(0)
                with m.If(~scales):
                    m.d.sync += row.eq(row + 1)
                    with m.If(row == ROW_BLOCK - 1):
                        m.d.sync += [
                            scales.eq(1),
                            blocks.eq(blocks - 1),
                            running.eq(blocks != 1),
                        ]
        command = self.i_command.payload
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                running.eq(1),
                last_beat.eq(command.slices - 1),
                blocks.eq(command.rows >> ROW_BLOCK.bit_length() - 1),
            ]

        index = Signal(range(config.word_scales))
        moved = words.o.valid & queue.i.ready
        m.d.comb += [
            queue.i.payload.eq(words.o.payload.word_select(index, FLOAT32_BITS)),
            queue.i.valid.eq(moved),
            words.o.ready.eq(moved & (index == config.word_scales - 1)),
        ]
        with m.If(moved):
            # The number of scales of a word is a power of two.
            m.d.sync += index.eq(index + 1)
        return m
