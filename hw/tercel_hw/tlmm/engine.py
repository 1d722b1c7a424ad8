"""The TLMM engine: activations and weight codes in, row sums out."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.register_copies import RegisterCopies
from tercel_hw.tlmm.accumulator import Accumulator
from tercel_hw.tlmm.adder_tree import AdderTree
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.decoder import CodeDecoder
from tercel_hw.tlmm.filler import TableFiller
from tercel_hw.tlmm.issuer import RowIssuer
from tercel_hw.tlmm.layouts import (
    codes_layout,
    command_layout,
    group_layout,
    lookup_layout,
    sums_layout,
    tag_layout,
)
from tercel_hw.tlmm.table_bank import TableBank

__all__ = ["TlmmEngine"]


class TlmmEngine(wiring.Component):
    """Ternary matrices by table lookup: ``tercel.numerics.ternary_linear`` on a tape.

    One row-chunk a cycle while the tables are full; `TlmmConfig.cycles` is the exact duration of a
    matrix. Commands may be queued: the first tables of a matrix are filled while the previous
    matrix is in use. Any stream may stall at any time; results depend only on the order of items.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    i_command : In, stream
        A matrix: ``rows``, and ``chunks`` and ``codes`` from `TlmmConfig.chunks`, none zero.
    i_groups : In, stream
        For every block of rows the same ``chunks * codes`` groups, group g the activations
        ``[trit][node]`` in -127..127 of columns ``g * group`` to ``(g + 1) * group - 1``; any
        value where the matrix has no such column. They are taken up to two chunks ahead of the
        codes.
    i_codes : In, stream
        For every block, for every chunk, for every row: a row-chunk as it lies on the tape. The
        bits above its ``codes`` codes may be anything.
    o_sums : Out, stream
        For every row of the matrix its ``sums``, one a node; ``last`` with the last row.
    error : Out
        A weight code was corrupt; stays until cleared. It rises before the sum of its row is
        offered.
    clear : In
        Clears `error`.
    """

    i_command: stream.Interface
    i_groups: stream.Interface
    i_codes: stream.Interface
    o_sums: stream.Interface
    error: Signal
    clear: Signal

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        super().__init__(
            {
                "i_command": In(stream.Signature(command_layout(config))),
                "i_groups": In(stream.Signature(group_layout(config))),
                "i_codes": In(stream.Signature(codes_layout(config))),
                "o_sums": Out(stream.Signature(sums_layout(config))),
                "error": Out(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        depth = 1 << config.latency.bit_length()
        m.submodules.filler = filler = TableFiller(config=config)
        m.submodules.issuer = issuer = RowIssuer(config=config, credits=depth)
        m.submodules.tree = tree = AdderTree(
            peaks=config.peaks, negatable=config.halved * config.tables, nodes=config.nodes
        )
        m.submodules.accumulator = accumulator = Accumulator(config=config)
        m.submodules.queue = queue = fifo.SyncFIFO(width=sums_layout(config).size, depth=depth)

        # Filler and issuer take a command in the same cycle.
        consumers = (filler.i_command, issuer.i_command)
        m.d.comb += self.i_command.ready.eq(consumers[0].ready & consumers[1].ready)
        for consumer, other in (consumers, consumers[::-1]):
            m.d.comb += consumer.payload.eq(self.i_command.payload)
            m.d.comb += consumer.valid.eq(self.i_command.valid & other.ready)

        full = Signal(2)
        m.d.sync += full.eq(full & ~issuer.released | filler.filled)
        m.d.comb += [filler.full.eq(full), issuer.full.eq(full)]
        wiring.connect(m, wiring.flipped(self.i_groups), filler.i_groups)
        m.d.comb += issuer.valid.eq(self.i_codes.valid)
        m.d.comb += self.i_codes.ready.eq(issuer.ready)

        lookups = self._decode(m, issuer.active)
        m.submodules.banks = banks = RegisterCopies(width=1, copies=config.tables)
        m.d.comb += banks.i.eq(issuer.bank)
        self._look_up(m, filler, tree, lookups, banks.o.as_value())

        tag = issuer.tag
        for stage in range(2 + tree.latency):
            before, tag = tag, Signal(tag_layout(config), name=f"tag_{stage}")
            m.d.sync += tag.eq(before)
        m.d.comb += [
            tree.enable.eq(1),
            accumulator.tag.eq(tag),
            accumulator.total.eq(tree.total),
            queue.w_en.eq(accumulator.valid),
            queue.w_data.eq(accumulator.sums),
            self.o_sums.valid.eq(queue.r_rdy),
            self.o_sums.payload.eq(queue.r_data),
            queue.r_en.eq(self.o_sums.ready),
            issuer.returned.eq(self.o_sums.valid & self.o_sums.ready),
        ]
        return m

    def _decode(self, m: Module, active: Signal) -> data.View:
        """Return the registered lookups ``[table][part]``; unused codes look up zeros."""
        config = self._config
        shape = data.ArrayLayout(lookup_layout(config), len(config.parts))
        lookups = Signal(data.ArrayLayout(shape, config.tables), reset_less=True)
        corrupt, taken = Signal(config.tables, reset_less=True), Signal()
        for table in range(config.tables):
            m.submodules[f"decoder_{table}"] = decoder = CodeDecoder(config=config)
            m.d.comb += decoder.code.eq(self.i_codes.payload[table])
            m.d.sync += lookups[table].eq(Mux(active[table], decoder.lookups, 0))
            m.d.sync += corrupt[table].eq(decoder.corrupt & active[table])
        m.d.sync += taken.eq(self.i_codes.valid & self.i_codes.ready)
        m.d.sync += self.error.eq(self.error & ~self.clear | taken & corrupt.any())
        return lookups

    def _look_up(
        self, m: Module, filler: TableFiller, tree: AdderTree, lookups: data.View, banks: Value
    ) -> None:
        """Add the tables between the lookups and the terms of the tree, code by code."""
        config = self._config
        parts = len(config.parts)
        for part in range(parts):
            tables = TableBank(config=config, part=part)
            m.submodules[f"tables_{part}"] = tables
            m.d.comb += [
                tables.entries.eq(filler.entries[str(part)]),
                tables.places.eq(filler.places),
                tables.banks.eq(banks),
            ]
            for table in range(config.tables):
                m.d.comb += tables.indices[table].eq(lookups[table][part].index)
                for node in range(config.nodes):
                    term = tree.terms[table * parts + part][node]
                    m.d.comb += term.eq(tables.sums[table][node])
        signs = Cat(
            lookups[table][part].negative for table in range(config.tables) for part in range(parts)
        )
        m.d.sync += tree.negative.eq(signs)
