"""The reader of the words of listed rows, which gives them in the order of the dense engine."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring

from tercel.image.layout import ROW_BLOCK
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.list_fetch import TILE_SLICES
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.result_queue import ResultQueue
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["ListReader"]

BANKS = 2
"""Tiles that are kept: one is written while the other one is read."""
READ = 2
"""Cycles of a read of block RAM with its output register."""


class ListReader(wiring.Component):
    """Splits groups of listed rows: scales to a queue, words of rows slice by slice to the engine.

    The words of a group come in tiles of at most 16 slices, row by row (`ListFetch`). A tile is
    written into block RAM and read slice by slice, while the next one is written; the one after
    that waits for its place. One word in and one out a cycle; the first word of a tile is
    offered ``LATENCY`` cycles after its last one was taken. A scale is offered 2 cycles after
    its word was taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(ListReader.command(config)))
        Rows of a group, 1 to 16, and their slices. Taken when all words of the previous group were.
    i_place : In(stream.Signature(4))
        Number of each row in its row block.
    i : In(stream.Signature(config.word))
    o_row : Out(stream.Signature(config.dense.beat))
    o_scale : Out(stream.Signature(32))
        One for each row.
    """

    LATENCY = ShallowFifo.LATENCY + READ + ResultQueue.LATENCY

    i_command: stream.Interface
    i_place: stream.Interface
    i: stream.Interface
    o_row: stream.Interface
    o_scale: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(self.command(config))),
                "i_place": wiring.In(stream.Signature(range(ROW_BLOCK))),
                "i": wiring.In(stream.Signature(unsigned(config.word))),
                "o_row": wiring.Out(stream.Signature(config.dense.beat)),
                "o_scale": wiring.Out(stream.Signature(FLOAT32_BITS)),
            }
        )

    @staticmethod
    def command(config: HeadUnitConfig) -> data.StructLayout:
        """Layout of the command."""
        slices = config.sweep.members["slices"]
        return data.StructLayout({"rows": range(ROW_BLOCK + 1), "slices": slices})

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        tile = data.StructLayout({"rows": range(ROW_BLOCK + 1), "slices": range(TILE_SLICES + 1)})
        m.submodules.tiles = tiles = ShallowFifo(tile, depth=BANKS)
        m.submodules.store = store = memory.Memory(
            shape=unsigned(config.word),
            depth=BANKS * ROW_BLOCK * TILE_SLICES,
            init=[],
            attrs={"ram_style": "block"},
        )
        scales = self._scales(m)
        self._write(m, scales, tiles.i, store.write_port())
        self._read(m, tiles.o, store.read_port())
        return m

    def _scales(self, m: Module) -> stream.Interface:
        """Return the consumer of words with scales, of which each row's is queued."""
        config = self._config
        m.submodules.words = words = ShallowFifo(
            unsigned(config.word_scales * FLOAT32_BITS), depth=2
        )
        m.submodules.scales = scales = ShallowFifo(unsigned(FLOAT32_BITS), depth=BANKS * ROW_BLOCK)
        wiring.connect(m, scales.o, wiring.flipped(self.o_scale))
        place, moved = self.i_place, Signal()
        index = place.payload[: (config.word_scales - 1).bit_length()]
        m.d.comb += [
            moved.eq(words.o.valid & place.valid & scales.i.ready),
            scales.i.payload.eq(words.o.payload.word_select(index, FLOAT32_BITS)),
            scales.i.valid.eq(moved),
            words.o.ready.eq(moved),
            place.ready.eq(moved),
        ]
        return words.i

    def _write(
        self,
        m: Module,
        scales: stream.Interface,
        tiles: stream.Interface,
        write: memory.WritePort,
    ) -> None:
        """Write a tile row by row; of the first one each row's scale comes before it."""
        running, first, scaling, bank = Signal(), Signal(), Signal(), Signal()
        last_row, row = Signal(range(ROW_BLOCK)), Signal(range(ROW_BLOCK))
        # Slices from this tile on, and those of this row that were written.
        left, place = Signal.like(self.i_command.payload.slices), Signal(range(TILE_SLICES))
        taken, row_ends, tile_ends, ends = (Signal() for _ in range(4))
        whole = left > TILE_SLICES
        m.d.comb += [
            self.i_command.ready.eq(~running),
            self.i.ready.eq(running & Mux(scaling, scales.ready, tiles.ready)),
            taken.eq(self.i.valid & self.i.ready),
            scales.payload.eq(self.i.payload),
            scales.valid.eq(taken & scaling),
            write.addr.eq(Cat(place, row, bank)),
            write.data.eq(self.i.payload),
            write.en.eq(taken & ~scaling),
            row_ends.eq(write.en & ((place == TILE_SLICES - 1) | (place + 1 == left))),
            tile_ends.eq(row_ends & (row == last_row)),
            ends.eq(tile_ends & ~whole),
            tiles.valid.eq(tile_ends),
            tiles.payload.rows.eq(last_row + 1),
            tiles.payload.slices.eq(Mux(whole, TILE_SLICES, left)),
        ]
        with m.If(scales.valid):
            m.d.sync += scaling.eq(0)
        with m.If(write.en):
            m.d.sync += place.eq(Mux(row_ends, 0, place + 1))
        with m.If(row_ends):
            m.d.sync += [scaling.eq(first & ~tile_ends), row.eq(Mux(tile_ends, 0, row + 1))]
        with m.If(tile_ends):
            m.d.sync += [left.eq(left - TILE_SLICES), first.eq(0), bank.eq(~bank)]
        with m.If(ends):
            m.d.sync += running.eq(0)
        command = self.i_command.payload
        with m.If(self.i_command.valid & ~running):
            m.d.sync += [
                running.eq(1),
                first.eq(1),
                scaling.eq(1),
                last_row.eq(command.rows - 1),
                left.eq(command.slices),
            ]

    def _read(self, m: Module, tiles: stream.Interface, read: memory.ReadPort) -> None:
        """Read tiles slice by slice, into a queue, because reads do not stall."""
        m.submodules.queue = queue = ResultQueue(self._config.dense.beat, depth=8)
        wiring.connect(m, queue.o, wiring.flipped(self.o_row))
        bank, row, place = Signal(), Signal(range(ROW_BLOCK)), Signal(range(TILE_SLICES))
        issues, coming = Signal(), Signal()
        word = Signal.like(read.data, reset_less=True)
        slice_ends = row + 1 == tiles.payload.rows
        ends = slice_ends & (place + 1 == tiles.payload.slices)
        m.d.comb += [
            issues.eq(tiles.valid & queue.room),
            tiles.ready.eq(issues & ends),
            read.addr.eq(Cat(place, row, bank)),
            queue.enters.eq(issues),
            queue.result.eq(word),
        ]
        m.d.sync += [coming.eq(issues), queue.arrives.eq(coming), word.eq(read.data)]
        with m.If(issues):
            m.d.sync += row.eq(Mux(slice_ends, 0, row + 1))
            with m.If(slice_ends):
                m.d.sync += place.eq(place + 1)
            with m.If(ends):
                m.d.sync += [place.eq(0), bank.eq(~bank)]
