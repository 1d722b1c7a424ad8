"""The unpacker of the scales of a matrix's rows from words."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory.block_sequencer import SCALE_BYTES, BlockConfig
from tercel_hw.memory.fifo import FifoConfig, StreamFifo

__all__ = ["ScaleUnpacker"]

SCALE_BITS = 8 * SCALE_BYTES
BLOCKS = 2
"""Blocks whose scales fit the output queue."""


class ScaleUnpacker(wiring.Component):
    """Gives a row's scale a cycle from words that arrive in one go, before the rows are played.

    A queue of lookup tables takes the words of a block, one a cycle, so that the tape goes on; the
    scales of two blocks are kept behind it, in block RAM.

    Parameters
    ----------
    config
        Parameters of the matrices.

    Members
    -------
    i_rows : stream of the number of rows of each block
    i : stream of words
        The scales of a block, the first lowest; the rest of its last word is dropped.
    o : stream of 32 bits
        A float32 for each row.
    """

    i_rows: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, config: BlockConfig):
        self._config = config
        super().__init__(
            {
                "i_rows": In(stream.Signature(range(config.block_rows + 1))),
                "i": In(stream.Signature(unsigned(8 * config.gearbox.word_bytes))),
                "o": Out(stream.Signature(unsigned(SCALE_BITS))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        width = 8 * config.gearbox.word_bytes
        deep = max(2, config.block_rows // config.scales)
        waiting = FifoConfig(width=width, depth=deep, read_latency=0, ram_style="distributed")
        kept = FifoConfig(width=SCALE_BITS, depth=BLOCKS * config.block_rows, ram_style="block")
        m.submodules.waiting = words = StreamFifo(config=waiting)
        m.submodules.scales = scales = StreamFifo(config=kept)
        connect(m, flipped(self.i), words.i)
        connect(m, scales.o, flipped(self.o))

        rows, place = Signal(range(config.block_rows + 1)), Signal(range(config.scales))
        scale, held = Signal(SCALE_BITS), Signal()
        take, last = Signal(), Signal()
        m.d.comb += [
            scales.i.valid.eq(held),
            scales.i.payload.eq(scale),
            take.eq(words.o.valid & (rows != 0) & (~held | scales.i.ready)),
            last.eq((place == config.scales - 1) | (rows == 1)),
            # The word stays in its queue until its last scale is taken.
            words.o.ready.eq(take & last),
            self.i_rows.ready.eq(rows == 0),
        ]
        with m.If(take):
            m.d.sync += [
                scale.eq(words.o.payload.word_select(place, SCALE_BITS)),
                place.eq(Mux(last, 0, place + 1)),
                rows.eq(rows - 1),
                held.eq(1),
            ]
        with m.Elif(scales.i.ready):
            m.d.sync += held.eq(0)
        with m.If(self.i_rows.valid & self.i_rows.ready):
            m.d.sync += rows.eq(self.i_rows.payload)
        return m
