"""The cutter of the tape of a matrix: words in, row-chunks and row scales out."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.memory.block_sequencer import SCALE_BYTES, BlockConfig, BlockSequencer
from tercel_hw.memory.gearbox import Gearbox
from tercel_hw.memory.scale_unpacker import ScaleUnpacker

__all__ = ["TapeCutter"]


class TapeCutter(wiring.Component):
    """Cuts the words of matrices into row-chunks, and splits off the scales of their rows.

    The scales of a block take a cycle a word in the gearbox. A row-chunk of more than a word leaves
    it idle while words arrive, so they cost no more than their time on the tape.

    Parameters
    ----------
    config
        Parameters of the matrices and of the gearbox.

    Members
    -------
    i_matrix : stream of ``config.matrix``
    i : stream of words
        The words of all matrices, one after the other.
    o : stream of row-chunks
        Byte 0 lowest; bits beyond a row-chunk's bytes are undefined.
    o_scales : stream of 32 bits
        A float32 for each row of a matrix in blocks.
    """

    i_matrix: stream.Interface
    i: stream.Interface
    o: stream.Interface
    o_scales: stream.Interface

    def __init__(self, *, config: BlockConfig):
        self._config = config
        gearbox = config.gearbox
        super().__init__(
            {
                "i_matrix": In(stream.Signature(config.matrix)),
                "i": In(stream.Signature(unsigned(8 * gearbox.word_bytes))),
                "o": Out(stream.Signature(unsigned(8 * gearbox.max_bytes))),
                "o_scales": Out(stream.Signature(unsigned(8 * SCALE_BYTES))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = BlockSequencer(config=config)
        m.submodules.gearbox = gearbox = Gearbox(config=config.gearbox)
        m.submodules.unpacker = unpacker = ScaleUnpacker(config=config)
        connect(m, flipped(self.i_matrix), sequencer.i)
        connect(m, sequencer.o_segment, gearbox.i_segment)
        connect(m, sequencer.o_rows, unpacker.i_rows)
        connect(m, flipped(self.i), gearbox.i)
        connect(m, unpacker.o, flipped(self.o_scales))
        chunk = gearbox.o.payload
        m.d.comb += [
            self.o.valid.eq(gearbox.o.valid & ~chunk.mark),
            self.o.payload.eq(chunk.data),
            unpacker.i.valid.eq(gearbox.o.valid & chunk.mark),
            unpacker.i.payload.eq(chunk.data),
        ]
        with m.If(chunk.mark):
            m.d.comb += gearbox.o.ready.eq(unpacker.i.ready)
        with m.Else():
            m.d.comb += gearbox.o.ready.eq(self.o.ready)
        return m
