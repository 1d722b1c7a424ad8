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

    With ``head.shortlist`` a command may be for a group of ``listed`` rows: a word for the scale of
    each row, then the words of the rows.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(config.blocks))
        ``rows`` is a multiple of 16; 1 to 16 if they are ``listed``, and they come after all scales
        of others.
    i : In(stream.Signature(config.word))
    o_row : Out(stream.Signature(config.dense.beat))
    i_place : In(stream.Signature(4))
        Number of each listed row in its row block; only with ``head.shortlist``.
    o_scale : Out(stream.Signature(32))
        One for each row.
    """

    i_command: stream.Interface
    i: stream.Interface
    i_place: stream.Interface
    o_row: stream.Interface
    o_scale: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        place = {"i_place": wiring.In(stream.Signature(range(ROW_BLOCK)))}
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.blocks)),
                "i": wiring.In(stream.Signature(unsigned(config.word))),
                "o_row": wiring.Out(stream.Signature(config.dense.beat)),
                "o_scale": wiring.Out(stream.Signature(FLOAT32_BITS)),
                **(place if config.head.shortlist else {}),
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
        lists = config.head.shortlist > 0
        most = max(config.dense.slices, config.scale_words, ROW_BLOCK * lists)
        place = Signal(range(most))
        last_beat = Signal.like(place)
        listed = Signal()
        # Constants, unless there are groups of listed rows.
        last_scales = Signal.like(place, init=config.scale_words - 1)
        last_row = Signal(range(ROW_BLOCK), init=ROW_BLOCK - 1)
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
            last_place.eq(place == Mux(scales, last_scales, last_beat)),
        ]
        with m.If(taken):
            m.d.sync += place.eq(Mux(last_place, 0, place + 1))
            with m.If(last_place):
                m.d.sync += scales.eq(0)
                with m.If(~scales):
                    m.d.sync += row.eq(row + 1)
                    with m.If(row == last_row):
                        m.d.sync += [
                            scales.eq(1),
                            blocks.eq(blocks - 1),
                            running.eq(blocks != 1),
                        ]
                        if lists:
                            m.d.sync += row.eq(0)
        command = self.i_command.payload
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                running.eq(1),
                last_beat.eq(command.slices - 1),
                blocks.eq(command.rows >> ROW_BLOCK.bit_length() - 1),
            ]
            if lists:
                last = command.rows - 1
                m.d.sync += [
                    listed.eq(command.listed),
                    last_scales.eq(Mux(command.listed, last, config.scale_words - 1)),
                    last_row.eq(Mux(command.listed, last, ROW_BLOCK - 1)),
                ]
                with m.If(command.listed):
                    m.d.sync += blocks.eq(1)
        self._unpack(m, words.o, queue.i, listed)
        return m

    def _unpack(
        self, m: Module, words: stream.Interface, scales: stream.Interface, listed: Signal
    ) -> None:
        """Give each scale of the words or, if ``listed``, that of the row's place."""
        config = self._config
        index = Signal(range(config.word_scales))
        chosen, last, moved = index, index == config.word_scales - 1, Signal()
        offered = words.valid
        if config.head.shortlist:
            place = self.i_place
            chosen = Mux(listed, place.payload[: len(index)], index)
            last = listed | last
            offered = words.valid & (~listed | place.valid)
            m.d.comb += place.ready.eq(moved & listed)
        m.d.comb += [
            moved.eq(offered & scales.ready),
            scales.payload.eq(words.payload.word_select(chosen, FLOAT32_BITS)),
            scales.valid.eq(moved),
            words.ready.eq(moved & last),
        ]
        with m.If(moved & ~listed):
            # The number of scales of a word is a power of two.
            m.d.sync += index.eq(index + 1)
