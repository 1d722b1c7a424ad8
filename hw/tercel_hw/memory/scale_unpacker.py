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
    """Gives a float32 for each row from words that arrive in one go, before the rows are played.

    A word takes a cycle more than it has scales.
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

        word, left = Signal(width), Signal(range(config.scales + 1))
        rows = Signal(range(config.block_rows + 1))
        moves, fetch = Signal(), Signal()
        m.d.comb += [
            scales.i.valid.eq(left != 0),
            scales.i.payload.eq(word[:SCALE_BITS]),
            moves.eq(scales.i.valid & scales.i.ready),
            # Not with a word's last scale: that would be a path through both queues.
            fetch.eq((rows != 0) & (left == 0)),
            words.o.ready.eq(fetch),
            self.i_rows.ready.eq(rows == 0),
        ]
        with m.If(moves):
            m.d.sync += [word.eq(word >> SCALE_BITS), left.eq(left - 1)]
        with m.If(fetch & words.o.valid):
            some = Mux(rows < config.scales, rows, config.scales)
            m.d.sync += [word.eq(words.o.payload), left.eq(some), rows.eq(rows - some)]
        with m.If(self.i_rows.valid & self.i_rows.ready):
            m.d.sync += rows.eq(self.i_rows.payload)
        return m
