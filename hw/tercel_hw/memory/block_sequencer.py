"""The sequencer of the segments of a matrix: blocks of rows with their scales."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from tercel_hw.checks import check_integer
from tercel_hw.memory.gearbox import GearboxConfig

__all__ = ["SCALE_BYTES", "BlockConfig", "BlockSequencer"]

SCALE_BYTES = 4
"""Bytes of a row's scale, a float32."""
ROW_BITS = 20
"""Width of a matrix's number of rows."""


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Parameters of what plays matrices in blocks.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    gearbox: GearboxConfig
    block_rows: int = 512
    """Rows of a block, a multiple of the scales in a word."""
    chunk_bits: int = 12
    """Width of the number of row-chunks of a row."""

    def __post_init__(self):
        check_integer("block_rows", self.block_rows, 1, 65536)
        check_integer("chunk_bits", self.chunk_bits, 1, self.gearbox.count_width)
        check_integer("max_bytes", self.gearbox.max_bytes, self.gearbox.word_bytes, 1 << 16)

    @property
    def scales(self) -> int:
        """Scales of a word."""
        return self.gearbox.word_bytes // SCALE_BYTES

    @property
    def matrix(self) -> data.StructLayout:
        """Layout of a matrix.

        In ``blocks`` each block begins on a word, with the scales of its rows; then come, of
        ``rows`` rows, ``chunks`` row-chunks a row, of ``bytes`` bytes each and of ``last_bytes`` in
        the last one. Otherwise the matrix has ``chunks`` row-chunks in all, without scales.
        """
        width = range(self.gearbox.max_bytes + 1)
        return data.StructLayout(
            {
                "blocks": unsigned(1),
                "rows": unsigned(ROW_BITS),
                "chunks": unsigned(self.gearbox.count_width),
                "bytes": width,
                "last_bytes": width,
            }
        )


class BlockSequencer(wiring.Component):
    """Gives the segments of a matrix to a gearbox, one a cycle.

    Of a block: its scales, as marked row-chunks of a word each; then a segment a chunk, each of
    which continues but the last.

    Parameters
    ----------
    config
        Parameters of the matrices.

    Members
    -------
    i : stream of ``config.matrix``
    o_segment : stream of ``config.gearbox.segment``
    o_rows : stream of the number of rows of each block
        One for each segment of scales.
    """

    i: stream.Interface
    o_segment: stream.Interface
    o_rows: stream.Interface

    def __init__(self, *, config: BlockConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.matrix)),
                "o_segment": Out(stream.Signature(config.gearbox.segment)),
                "o_rows": Out(stream.Signature(range(config.block_rows + 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        block, step = config.block_rows, exact_log2(config.scales)
        matrix = Signal(config.matrix)
        busy, scales = Signal(), Signal()
        # Of the current block and chunk, as registers: their segment goes into an adder.
        rows, last_block = Signal(range(block + 1)), Signal()
        chunks, last_chunk = Signal(config.chunk_bits), Signal()
        segment, moves = self.o_segment.payload, Signal()
        m.d.comb += [
            self.i.ready.eq(~busy),
            self.o_rows.payload.eq(rows),
            # Both streams of a block's beginning move in one cycle.
            self.o_segment.valid.eq(busy & (~scales | self.o_rows.ready)),
            self.o_rows.valid.eq(busy & scales & self.o_segment.ready),
            moves.eq(self.o_segment.valid & self.o_segment.ready),
        ]

        def begin_row(number: Value) -> None:
            m.d.sync += [chunks.eq(number - 1), last_chunk.eq(number == 1)]

        with m.If(scales):
            m.d.comb += [
                segment.bytes.eq(config.gearbox.word_bytes),
                segment.chunks.eq((rows + (1 << step) - 1) >> step),
                segment.mark.eq(1),
            ]
            with m.If(moves):
                m.d.sync += scales.eq(0)
        with m.Elif(matrix.blocks):
            m.d.comb += [
                segment.bytes.eq(Mux(last_chunk, matrix.last_bytes, matrix.bytes)),
                segment.chunks.eq(rows),
                segment.continues.eq(~last_chunk),
            ]
            with m.If(moves & last_chunk):
                ends = matrix.rows <= 2 * block
                m.d.sync += [
                    scales.eq(1),
                    busy.eq(~last_block),
                    matrix.rows.eq(matrix.rows - block),
                    last_block.eq(ends),
                    rows.eq(Mux(ends, matrix.rows - block, block)),
                ]
                begin_row(matrix.chunks)
            with m.Elif(moves):
                m.d.sync += [chunks.eq(chunks - 1), last_chunk.eq(chunks == 1)]
        with m.Else():
            m.d.comb += [segment.bytes.eq(matrix.bytes), segment.chunks.eq(matrix.chunks)]
            with m.If(moves):
                m.d.sync += busy.eq(0)
        with m.If(self.i.valid & self.i.ready):
            given = self.i.payload
            ends = given.rows <= block
            m.d.sync += [
                busy.eq(1),
                matrix.eq(given),
                scales.eq(given.blocks),
                last_block.eq(ends),
                rows.eq(Mux(ends, given.rows, block)),
            ]
            begin_row(given.chunks)
        return m
