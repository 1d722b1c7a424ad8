"""The requests of the exact rows of shortlists."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.utils import exact_log2

from tercel.image.layout import ROW_BLOCK
from tercel.program.command import ADDRESS_BITS
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["ListFetch"]

BANKS = 2
"""Groups of rows whose places are kept: one is gathered while the other one is requested."""
TILE_SLICES = 16
"""Slices of a row whose words are requested one after the other."""
ANNOUNCED = 4
"""Groups that were announced and not yet taken."""


class ListFetch(wiring.Component):
    """Gathers listed rows in groups of 16, the last perhaps fewer; requests the words of each.

    The runs of a group are of a word each, in tiles of 16 slices, the last one perhaps of fewer. A
    tile is requested row by row, because a row's words are near each other in memory; in the first
    tile the word with a row's scale comes before its others. One run a cycle. A row is taken every
    third cycle while there is a group to fill. A group is announced by its number of rows and
    of words; its first run is offered ``LATENCY`` cycles after its last row was taken, and
    ``BETWEEN`` cycles after the last run of the group before.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(StructLayout({"address": 32, "slices": ...})))
        Word address of the first row block of the head, and slices of a row. Taken when the rows of
        the previous command have been requested.
    i : In(stream.Signature(config.head.listed))
        Rows, to the last one.
    o_group, o_read : Out(stream.Signature(config.group))
        Number of rows of each group; ``last`` with the last one. For the dense engine, and for what
        reads the words.
    o_words : Out(stream.Signature(32))
        Number of words of each group.
    o_run : Out(stream.Signature(32))
        Word addresses.
    """

    LATENCY = 7
    BETWEEN = 3

    i_command: stream.Interface
    i: stream.Interface
    o_group: stream.Interface
    o_read: stream.Interface
    o_words: stream.Interface
    o_run: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(self.command(config))),
                "i": wiring.In(stream.Signature(config.head.listed)),
                "o_group": wiring.Out(stream.Signature(config.group)),
                "o_read": wiring.Out(stream.Signature(config.group)),
                "o_words": wiring.Out(stream.Signature(unsigned(ADDRESS_BITS))),
                "o_run": wiring.Out(stream.Signature(unsigned(ADDRESS_BITS))),
            }
        )

    @staticmethod
    def command(config: HeadUnitConfig) -> data.StructLayout:
        """Layout of the command."""
        slices = config.sweep.members["slices"]
        return data.StructLayout({"address": ADDRESS_BITS, "slices": slices})

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        place = data.StructLayout({"block": ADDRESS_BITS, "row": range(ROW_BLOCK)})
        m.submodules.places = places = memory.Memory(
            shape=place, depth=BANKS * ROW_BLOCK, init=[], attrs={"ram_style": "distributed"}
        )
        command = Signal(self.command(config), reset_less=True)
        running, requested = Signal(), Signal()
        m.d.comb += self.i_command.ready.eq(~running)
        with m.If(self.i_command.valid & ~running):
            m.d.sync += [running.eq(1), command.eq(self.i_command.payload)]
        with m.If(requested):
            m.d.sync += running.eq(0)
        full = self._gather(m, command, running, places.write_port())
        self._request(m, command, full, requested, places.read_port(domain="comb"))
        return m

    def _gather(
        self, m: Module, command: data.View, running: Signal, write: memory.WritePort
    ) -> stream.Interface:
        """Write the places of rows into a bank; return a stream of filled banks."""
        config = self._config
        row_bits, block_words = exact_log2(ROW_BLOCK), Signal(ADDRESS_BITS, reset_less=True)
        m.submodules.full = full = ShallowFifo(config.group, depth=BANKS)
        bank, index = Signal(), Signal(range(ROW_BLOCK))
        row = Signal(config.head.listed.members["row"], reset_less=True)
        product = Signal(ADDRESS_BITS, reset_less=True)
        last, ended = Signal(), Signal()
        m.d.sync += [
            block_words.eq((command.slices << row_bits) + config.scale_words),
            product.eq(row[row_bits:] * block_words[: config.block_bits]),
        ]
        m.d.comb += [
            write.addr.eq(Cat(index, bank)),
            write.data.block.eq(command.address + product),
            write.data.row.eq(row[:row_bits]),
            full.i.payload.rows.eq(index + 1),
            full.i.payload.last.eq(last),
        ]
        with m.FSM():
            with m.State("take"):
                # A bank is free again when its group has left the stream.
                m.d.comb += self.i.ready.eq(running & ~ended & full.i.ready)
                m.d.sync += [row.eq(self.i.payload.row), last.eq(self.i.payload.last)]
                with m.If(self.i.valid & self.i.ready):
                    m.next = "multiply"
                with m.If(~running):
                    m.d.sync += ended.eq(0)
            with m.State("multiply"):
                m.next = "write"
            with m.State("write"):
                m.d.comb += write.en.eq(1)
                m.d.comb += full.i.valid.eq(last | (index == ROW_BLOCK - 1))
                m.d.sync += [index.eq(index + 1), ended.eq(last)]
                with m.If(full.i.valid):
                    m.d.sync += [index.eq(0), bank.eq(bank + 1)]
                m.next = "take"
        return full.o

    def _request(
        self,
        m: Module,
        command: data.View,
        full: stream.Interface,
        requested: Signal,
        read: memory.ReadPort,
    ) -> None:
        """Announce each filled bank, then request its words tile by tile."""
        config = self._config
        group = full.payload
        announced, room = Signal(), []
        total, known = Signal(ADDRESS_BITS, reset_less=True), Signal()
        row_words, announces = Signal(range(config.dense.slices + 2), reset_less=True), Signal()
        for name, port, value in (
            ("groups", self.o_group, group),
            ("reads", self.o_read, group),
            ("words", self.o_words, total),
        ):
            m.submodules[name] = queue = ShallowFifo(port.payload.shape(), depth=ANNOUNCED)
            wiring.connect(m, queue.o, wiring.flipped(port))
            m.d.comb += [queue.i.payload.eq(value), queue.i.valid.eq(announces)]
            room.append(queue.i.ready)
        m.d.sync += [
            row_words.eq(command.slices + 1),
            total.eq(group.rows * row_words),
            known.eq(full.valid & ~full.ready),
        ]
        m.d.comb += announces.eq(known & ~announced & Cat(room).all())

        bank, index, place = Signal(), Signal(range(ROW_BLOCK)), Signal(range(TILE_SLICES))
        tile, left = (
            Signal(range(-(-config.dense.slices // TILE_SLICES))),
            Signal.like(command.slices),
        )
        scales, issues, moves = Signal(init=1), Signal(), Signal()
        # The place of a word: its row block, and its number in there.
        found = Signal(
            data.StructLayout({"block": ADDRESS_BITS, "word": ADDRESS_BITS}), reset_less=True
        )
        valid, run = Signal(), self.o_run
        # Of this tile: its last slice, and that none follows.
        last_place, final = Signal(range(TILE_SLICES)), Signal()
        row_ends = place == last_place
        tile_ends = row_ends & (index + 1 == group.rows) & ~scales
        ends = tile_ends & final

        def begin(slices) -> None:
            """Begin a tile with so many slices left."""
            last = slices <= TILE_SLICES
            m.d.sync += [
                left.eq(slices),
                final.eq(last),
                last_place.eq(Mux(last, slices - 1, TILE_SLICES - 1)),
            ]

        m.d.comb += [
            read.addr.eq(Cat(index, bank)),
            moves.eq(~run.valid | run.ready),
            issues.eq(announced & (~valid | moves)),
            full.ready.eq(issues & ends),
            requested.eq(full.ready & group.last),
        ]
        with m.If(announces):
            m.d.sync += announced.eq(1)
            begin(command.slices)
        with m.If(moves):
            m.d.sync += [run.valid.eq(valid), run.payload.eq(found.block + found.word)]
            m.d.sync += valid.eq(0)
        row = read.data.row
        scale_word = row[exact_log2(config.word_scales) :]
        slice_word = Cat(row, place, tile) + config.scale_words
        with m.If(issues):
            m.d.sync += [
                valid.eq(1),
                found.block.eq(read.data.block),
                found.word.eq(Mux(scales, scale_word, slice_word)),
                scales.eq(0),
            ]
            with m.If(~scales):
                m.d.sync += place.eq(Mux(row_ends, 0, place + 1))
            with m.If(~scales & row_ends):
                m.d.sync += [index.eq(Mux(tile_ends, 0, index + 1)), scales.eq(tile == 0)]
            with m.If(tile_ends):
                m.d.sync += [tile.eq(tile + 1), scales.eq(0)]
                begin(left - TILE_SLICES)
            with m.If(ends):
                m.d.sync += [tile.eq(0), scales.eq(1), announced.eq(0), bank.eq(~bank)]
