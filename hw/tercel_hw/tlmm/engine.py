"""The TLMM engine: activations and weight codes in, row sums out."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import CODES_A_GROUP
from tercel_hw.float32.stages import Stages
from tercel_hw.register_copies import RegisterCopies
from tercel_hw.tlmm.accumulator import Accumulator
from tercel_hw.tlmm.adder_tree import AdderTree
from tercel_hw.tlmm.config import LOOKUP, TlmmConfig
from tercel_hw.tlmm.decoder import CodeDecoder
from tercel_hw.tlmm.filler import TableFiller
from tercel_hw.tlmm.group_tree import GroupTree
from tercel_hw.tlmm.issuer import RowIssuer
from tercel_hw.tlmm.layouts import (
    codes_layout,
    command_layout,
    group_layout,
    lookup_layout,
    sums_layout,
    terms_layout,
)
from tercel_hw.tlmm.multiplier_decoder import MultiplierDecoder
from tercel_hw.tlmm.power_bank import PowerBank
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
        A matrix: the fields of `TlmmConfig.command`.
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

        # What comes with a row-chunk, a cycle later.
        stages = Stages(m, Const(1))
        codes = Signal(codes_layout(config), reset_less=True)
        m.d.sync += codes.eq(self.i_codes.payload)
        active = stages.delay(issuer.active, 1, "active")
        bank = stages.delay(issuer.bank, 1, "bank")
        lookups, corrupt = self._decode(m, codes, active)
        m.submodules.banks = banks = RegisterCopies(width=1, copies=config.tables)
        m.d.comb += banks.i.eq(bank)
        terms, negative = self._look_up(m, filler, lookups, banks.o.as_value())
        if config.groups:
            m.submodules.multipliers = multipliers = MultiplierDecoder(config=config)
            m.d.comb += [
                multipliers.codes.eq(codes),
                multipliers.active.eq(active[::CODES_A_GROUP]),
                multipliers.grouped.eq(stages.delay(issuer.grouped, 1, "grouped")),
            ]
            corrupt |= multipliers.corrupt
            total = self._add_groups(m, terms, negative, filler, bank, multipliers)
        else:
            total = self._add(m, terms, negative)
        taken = stages.delay(issuer.tag.valid, 2, "taken", reset=True)
        m.d.sync += self.error.eq(self.error & ~self.clear | taken & corrupt)

        wait = LOOKUP + config.term_latency
        tag = stages.delay(issuer.tag.as_value(), wait, "tag", reset=True)
        m.d.comb += [
            accumulator.tag.eq(tag),
            accumulator.total.eq(total),
            queue.w_en.eq(accumulator.valid),
            queue.w_data.eq(accumulator.sums),
            self.o_sums.valid.eq(queue.r_rdy),
            self.o_sums.payload.eq(queue.r_data),
            queue.r_en.eq(self.o_sums.ready),
            issuer.returned.eq(self.o_sums.valid & self.o_sums.ready),
        ]
        return m

    def _decode(self, m: Module, codes: data.View, active: Value) -> tuple[data.View, Value]:
        """Return the registered lookups ``[table][part]``, and a flag of a corrupt code in use.

        Codes that are not in use look up zeros.
        """
        config = self._config
        shape = data.ArrayLayout(lookup_layout(config), len(config.parts))
        lookups = Signal(data.ArrayLayout(shape, config.tables), reset_less=True)
        corrupt = Signal(config.tables, reset_less=True)
        for table in range(config.tables):
            m.submodules[f"decoder_{table}"] = decoder = CodeDecoder(config=config)
            m.d.comb += decoder.code.eq(codes[table])
            m.d.sync += lookups[table].eq(Mux(active[table], decoder.lookups, 0))
            m.d.sync += corrupt[table].eq(decoder.corrupt & active[table])
        return lookups, corrupt.any()

    def _look_up(
        self, m: Module, filler: TableFiller, lookups: data.View, banks: Value
    ) -> tuple[data.View, Value]:
        """Add the tables; return their sums and signs, code by code: the terms of a row-chunk."""
        config = self._config
        parts = len(config.parts)
        terms = Signal(terms_layout(config))
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
                    term = terms[table * parts + part][node]
                    m.d.comb += term.eq(tables.sums[table][node])
        signs = Cat(
            lookups[table][part].negative for table in range(config.tables) for part in range(parts)
        )
        return terms, Stages(m, Const(1)).delay(signs, TableBank.LATENCY, "negative")

    def _add(self, m: Module, terms: data.View, negative: Value) -> data.View:
        """Add the sum of the terms; return the total."""
        config = self._config
        tree = AdderTree(
            peaks=config.peaks, negatable=config.halved * config.tables, nodes=config.nodes
        )
        m.submodules.tree = tree
        m.d.comb += [tree.enable.eq(1), tree.terms.eq(terms), tree.negative.eq(negative)]
        return tree.total

    def _add_groups(
        self,
        m: Module,
        terms: data.View,
        negative: Value,
        filler: TableFiller,
        bank: Value,
        multipliers: MultiplierDecoder,
    ) -> data.View:
        """Add the sum of the terms, weighted by blocks and groups; return the total."""
        config, stages = self._config, Stages(m, Const(1))
        m.submodules.tree = tree = GroupTree(config=config)
        m.submodules.powers = powers = PowerBank(config=config)
        # Bank and multipliers come from a cycle after the row-chunk.
        late = LOOKUP - 1 + config.block_latency - RegisterCopies.LATENCY
        wait = LOOKUP - 1 + config.group_latency - MultiplierDecoder.LATENCY
        factors = stages.delay(multipliers.multipliers.as_value(), wait, "multipliers")
        m.d.comb += [
            powers.i.eq(filler.block),
            powers.bank.eq(stages.delay(bank, late, "block_bank")),
            tree.terms.eq(terms),
            tree.negative.eq(negative),
            tree.powers.eq(powers.o),
            tree.multipliers.eq(factors),
        ]
        return tree.total
