"""The filler of the tables from activations, a chunk ahead of their use."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from tercel_hw.tlmm.config import BLOCK_CODES, TlmmConfig
from tercel_hw.tlmm.generator import TableGenerator
from tercel_hw.tlmm.layouts import (
    block_layout,
    command_layout,
    entry_layout,
    group_layout,
    place_layout,
)

__all__ = ["TableFiller"]


class TableFiller(wiring.Component):
    """Distributes groups of activations to the generators, round robin from each chunk's first.

    A chunk of n codes is full ``config.fill_cycles(n)`` cycles after its first group; the next
    chunk, of the other bank, may follow ``entries * ceil(n / generators)`` cycles after it.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i_command : In, stream
        A matrix.
    i_groups : In, stream
        For every block of the matrix, the groups of all its chunks.
    full : In
        A bit for each bank that is full and must not be written.
    entries : Out
        For each part, the entry that each generator writes.
    places : Out
        Code and bank of each generator's entries.
    block : Out
        Shifts of the block of the group that was taken, all zero unless the matrix is grouped; only
        in an engine with groups.
    filled : Out
        A bit for each bank that is full from the next cycle on, in which its last entry is written
        and a row-chunk may be decoded.
    """

    i_command: stream.Interface
    i_groups: stream.Interface
    full: Signal
    entries: data.View
    places: data.View
    filled: Signal
    block: data.View

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        count = config.generators
        entries = {
            str(p): data.ArrayLayout(entry_layout(config, p), count)
            for p in range(len(config.parts))
        }
        blocks = {"block": Out(block_layout(config))} if config.groups else {}
        super().__init__(
            {
                **blocks,
                "i_command": In(stream.Signature(command_layout(config))),
                "i_groups": In(stream.Signature(group_layout(config))),
                "full": In(2),
                "entries": Out(data.StructLayout(entries)),
                "places": Out(data.ArrayLayout(place_layout(config), count)),
                "filled": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        generators = [TableGenerator(config=config) for _ in range(config.generators)]

        busy, bank = Signal(), Signal()
        slot = Signal(place_layout(config)["slot"].shape)
        turn = Signal(ceil_log2(config.generators))
        open_, take = Signal(), Signal()
        last_code, end_of_block, last_block = self._counters(m, take)
        m.d.comb += [
            open_.eq(busy & ~self.full.bit_select(bank, 1)),
            take.eq(self.i_groups.valid & self.i_groups.ready),
            self.i_command.ready.eq(~busy),
        ]
        values = self.i_groups.payload
        if config.groups:
            values = values["values"]
            self._give_shifts(m, take=take, last_code=last_code, bank=bank)
        for number, generator in enumerate(generators):
            m.submodules[f"generator_{number}"] = generator
            mine = Signal(name=f"mine_{number}")
            place = generator.i.payload.place
            m.d.comb += [
                mine.eq(open_ & (turn == number)),
                generator.i.valid.eq(mine & self.i_groups.valid),
                generator.i.payload.group.eq(values),
                place.slot.eq(slot),
                place.bank.eq(bank),
                place.last.eq(last_code),
                self.places[number].eq(generator.place),
            ]
            with m.If(mine):
                m.d.comb += self.i_groups.ready.eq(generator.i.ready)
            for part in range(len(config.parts)):
                ours = self.entries[str(part)][number]
                m.d.comb += ours.eq(generator.entries[str(part)])

        for bit in range(2):
            m.d.comb += self.filled[bit].eq(Cat(g.filled[bit] for g in generators).any())

        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += busy.eq(1)
        with m.Elif(take & end_of_block):
            m.d.sync += busy.eq(~last_block)
        with m.If(take):
            m.d.sync += turn.eq(turn + 1)
            with m.If(turn == config.generators - 1):
                m.d.sync += turn.eq(0)
                m.d.sync += slot.eq(slot + 1)
            with m.If(last_code):
                m.d.sync += [turn.eq(0), slot.eq(0), bank.eq(~bank)]
        return m

    def _counters(self, m: Module, take: Signal) -> tuple[Signal, Value, Signal]:
        """Count codes, chunks and blocks down; return flags of the last code, chunk's and block.

        The flags are registers, and so known at the beginning of a cycle.
        """
        payload, block = self.i_command.payload, self._config.block_rows
        command = Signal(command_layout(self._config))
        last_codes = command.last_codes if self._config.groups else command.codes
        # Those after the current one.
        codes, chunks = Signal.like(command.codes), Signal.like(command.chunks)
        last_code, last_chunk, last_block = Signal(), Signal(), Signal()

        def count(left: Signal, last: Signal, whole: Value, begins: Value) -> None:
            m.d.sync += left.eq(Mux(begins, whole, left) - 1)
            m.d.sync += last.eq(Mux(begins, whole == 1, left == 1))

        next_is_last = Mux(last_chunk, command.chunks == 1, chunks == 1)
        width = Mux(next_is_last, last_codes, command.codes)
        with m.If(take):
            count(codes, last_code, width, last_code)
            with m.If(last_code):
                count(chunks, last_chunk, command.chunks, last_chunk)
                with m.If(last_chunk):
                    m.d.sync += command.rows.eq(command.rows - block)
                    m.d.sync += last_block.eq(command.rows <= 2 * block)
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [command.eq(payload), last_block.eq(payload.rows <= block)]
            first = payload.codes
            if self._config.groups:
                first = Mux(payload.chunks == 1, payload.last_codes, payload.codes)
            count(codes, last_code, first, Const(1))
            count(chunks, last_chunk, payload.chunks, Const(1))
        return last_code, last_code & last_chunk, last_block

    def _give_shifts(self, m: Module, *, take: Signal, last_code: Signal, bank: Signal) -> None:
        """Hand over the shifts with each code, and the block that the code belongs to."""
        code, grouped = Signal(range(BLOCK_CODES)), Signal()
        block = self.block
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += grouped.eq(self.i_command.payload.grouped)
        m.d.comb += [block.valid.eq(take), block.bank.eq(bank)]
        for shift, given in zip(block.shifts, self.i_groups.payload.shifts, strict=True):
            m.d.comb += shift.eq(Mux(grouped, given, 0))
        with m.If(take):
            m.d.sync += code.eq(code + 1)
            with m.If(code == BLOCK_CODES - 1):
                m.d.sync += [code.eq(0), block.block.eq(block.block + 1)]
            with m.If(last_code):
                m.d.sync += [code.eq(0), block.block.eq(0)]
