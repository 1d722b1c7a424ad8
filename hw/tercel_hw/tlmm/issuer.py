"""The issue of row-chunks, by the state of tables, accumulator and output queue."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import CODES_A_GROUP
from tercel_hw.credits import Credits
from tercel_hw.tlmm.config import SAME_ROW, TlmmConfig
from tercel_hw.tlmm.layouts import ROW_BITS, command_layout, tag_layout

__all__ = ["RowIssuer"]


class RowIssuer(wiring.Component):
    """Decides in which cycle a row-chunk enters the pipeline, which then never stalls.

    A row-chunk is issued if the bank of its tables is full, the accumulator is done with its row
    (in blocks of fewer than `SAME_ROW` rows a chunk waits) and, if it completes a row, the output
    queue has room for the sum. One a cycle, also across chunks, blocks and matrices.

    Parameters
    ----------
    config
        Parameters of the engine.
    credits
        Capacity of the output queue, in sums.

    Members
    -------
    i_command : In, stream
        Matrices; the next one is taken while one is in use.
    valid : In
        A row-chunk is offered.
    ready : Out
        A row-chunk can be issued; independent of `valid`.
    full : In
        A bit for each bank that is full.
    released : Out
        A bit for the bank whose last lookup is in the next cycle.
    returned : In
        A sum leaves the output queue.
    bank : Out
        The bank of this cycle's row-chunk.
    active : Out
        A bit for each code of a row-chunk that the matrix uses.
    grouped : Out
        The matrix has groups; only in an engine with groups.
    tag : Out
        Tag of the row-chunk; valid in the cycle of the transfer.
    """

    i_command: stream.Interface
    valid: Signal
    ready: Signal
    full: Signal
    released: Signal
    returned: Signal
    bank: Signal
    active: Signal
    grouped: Signal
    tag: data.View

    def __init__(self, *, config: TlmmConfig, credits: int):
        if credits < 1:
            raise ValueError(f"credits must be positive, not {credits!r}")
        self._config = config
        self._credits = credits
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout(config))),
                "valid": In(1),
                "ready": Out(1),
                "full": In(2),
                "released": Out(2),
                "returned": In(1),
                "bank": Out(1),
                "active": Out(config.tables),
                **({"grouped": Out(1)} if config.groups else {}),
                "tag": Out(tag_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        tag = self.tag

        waiting, pending = Signal(), Signal(command_layout(config))
        busy, going = Signal(), Signal()
        # Chunks of a row, and those after the current one.
        chunks, chunks_left = Signal.like(pending.chunks), Signal.like(pending.chunks)
        # Index of the matrix's last row from the block's first, and of the block's last row.
        rows_beyond, pending_beyond = Signal(ROW_BITS), Signal(ROW_BITS)
        before_last, single_row = Signal.like(tag.row), Signal()
        last_block, end_of_block, end = Signal(), Signal(), Signal()
        # A register, as it decides about much: the row is the block's last.
        end_of_chunk = Signal()
        begins = end | ~busy
        m.submodules.room = room = Credits(count=self._credits)
        m.d.comb += [
            tag.last.eq(end_of_chunk & last_block),
            # Six registers, one lookup table.
            self.ready.eq(going & self.full.bit_select(self.bank, 1) & (~tag.final | room.any)),
            tag.valid.eq(self.valid & self.ready),
            room.spend.eq(tag.valid & tag.final),
            room.give.eq(self.returned),
            end_of_block.eq(tag.valid & end_of_chunk & tag.final),
            end.eq(end_of_block & tag.last),
            self.i_command.ready.eq(~waiting),
        ]
        m.d.sync += going.eq(Mux(begins, waiting, busy) & ~self._pause(m, end_of_chunk))

        with m.If(tag.valid):
            m.d.sync += [tag.row.eq(tag.row + 1), end_of_chunk.eq(tag.row == before_last)]
            with m.If(end_of_chunk):
                m.d.sync += end_of_chunk.eq(single_row)
                m.d.comb += self.released.bit_select(self.bank, 1).eq(1)
                m.d.sync += [tag.row.eq(0), self.bank.eq(~self.bank)]
                m.d.sync += [chunks_left.eq(chunks_left - 1), tag.first.eq(0)]
                m.d.sync += tag.final.eq(chunks_left == 1)
        # Compare in parallel with the subtraction: one carry chain to each register.
        block = config.block_rows
        beyond = Mux(begins, pending_beyond, rows_beyond - block)
        ends = Mux(begins, pending_beyond < block, rows_beyond < 2 * block)
        single = Mux(begins, pending_beyond == 0, rows_beyond == block) | (block == 1)
        whole = Mux(begins, pending.chunks, chunks)
        with m.If(end_of_block | ~busy):
            m.d.sync += [
                chunks_left.eq(whole - 1),
                tag.first.eq(1),
                tag.final.eq(whole == 1),
                rows_beyond.eq(beyond),
                before_last.eq(
                    Mux(ends, Mux(begins, pending_beyond - 1, rows_beyond - block - 1), block - 2)
                ),
                single_row.eq(single),
                end_of_chunk.eq(single),
                last_block.eq(ends),
            ]
        with m.If(begins):
            m.d.sync += [busy.eq(waiting), chunks.eq(pending.chunks), waiting.eq(0)]
        with m.If(begins | (tag.valid & end_of_chunk)):
            narrow = Mux(end_of_block | ~busy, whole == 1, chunks_left == 1)
            m.d.sync += self.active.eq(self._next_active(m, pending, begins, narrow))
        with m.If(self.i_command.valid & self.i_command.ready):
            command = self.i_command.payload
            m.d.sync += [waiting.eq(1), pending.eq(command), pending_beyond.eq(command.rows - 1)]
        return m

    def _next_active(self, m: Module, pending: data.View, begins: Value, narrow: Value) -> Value:
        """Return the codes of the next chunk, which is a matrix's first if one begins.

        The last chunk of a row with groups may be ``narrow``: it has groups in part.
        """
        tables, groups = self._config.tables, self._config.groups
        active = Cat(pending.codes > code for code in range(tables))
        if not groups:
            return Mux(begins, active, self.active)
        last = Cat(pending.last_codes > code for code in range(0, tables, CODES_A_GROUP))
        kept, kept_last = Signal(tables), Signal(groups)
        with m.If(begins):
            m.d.sync += [kept.eq(active), kept_last.eq(last), self.grouped.eq(pending.grouped)]
        every, some = Mux(begins, active, kept), Mux(begins, last, kept_last)
        used = Cat((some[group] | ~narrow).replicate(CODES_A_GROUP) for group in range(groups))
        return every & used

    def _pause(self, m: Module, end_of_chunk: Signal) -> Signal:
        """Return a signal that is high if the next row-chunk must not be issued in the next cycle.

        That is row 0 within `SAME_ROW` cycles after the previous chunk's.
        """
        pause, paused = Signal(range(SAME_ROW)), Signal()
        row, valid = self.tag.row, self.tag.valid
        begun = valid & (row == 0)
        with m.If(begun):
            m.d.sync += pause.eq(SAME_ROW - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        m.d.comb += paused.eq(Mux(valid, end_of_chunk, row == 0) & (begun | (pause > 1)))
        return paused
