"""The core: all units of the accelerator and the streams between them."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.attention import AttentionUnit
from tercel_hw.cache import CacheWriter
from tercel_hw.head import Dump, HeadUnit, ResultWriter, RunMerge
from tercel_hw.memory import WriteMerge
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.top.config import CHANNELS, AcceleratorConfig
from tercel_hw.top.dispatcher import UNITS, Dispatcher
from tercel_hw.top.fork import CommandFork
from tercel_hw.top.gain_reader import GainReader
from tercel_hw.top.outstanding import Outstanding
from tercel_hw.top.pass_end import PassEnd
from tercel_hw.top.row_fetch import RowFetch
from tercel_hw.top.row_switch import RowSwitch
from tercel_hw.top.tape_codes import connect_matrix, cut_tape
from tercel_hw.top.word_router import WordRouter
from tercel_hw.vector import (
    ActivationStore,
    Dequantiser,
    Gate,
    HeadNorm,
    HeadQuantiser,
    Residual,
    Rotary,
    RowLoader,
    RowQuantiser,
    command_layout,
)

__all__ = ["Core"]

CONSUMERS = {
    "rows": ("fetch", "loader"),
    "norm": ("gain_words", "quantiser", "gains", "sources", "columns", "scales"),
    "tape": ("words", "router"),
    "engine": ("segment", "matrix", "store"),
    "heads": ("rotary", "quantiser", "cache"),
}
"""Consumers of each command that has more than one."""
UNIT = ("unit",)
"""The only consumer of any other command."""
NORM, DUMP = 0, 1
"""Targets of the residual stream."""
ENGINE, HEAD = 0, 1
"""Targets of the tape."""
CACHE, RESULTS = 0, 1
"""Writers of the memory system."""


class Core(wiring.Component):
    """Runs a pass program on the channels of a :class:`MemorySystem`.

    The dispatcher issues commands; every unit waits for its next one and for its streams. There is
    no other control. A pass ends when all of its writes are in memory.

    Parameters
    ----------
    config
        Parameters of the accelerator.

    Members
    -------
    start : In(1)
    address, length : In(32)
        The program: word address and number of commands.
    o_run, i_word : arrays of streams, one a channel
    o_command, o : arrays of 2 streams of runs and granules
    writing : In(1)
        As those of the memory system.
    busy : Out(1)
    wrong : Out(1)
        A pulse: the program is wrong.
    corrupt : Out(1)
        A weight code is corrupt; stays until `clear`.
    clear : In(1)
    events : Out
        Events to count in a cycle: ``tape_stall``, ``table_stall``, ``compute``, ``attention``,
        ``head``.
    progress : Out(1)
        Some stream made progress in this cycle.
    """

    start: Signal
    address: Signal
    length: Signal
    o_run: list[stream.Interface]
    i_word: list[stream.Interface]
    o_command: list[stream.Interface]
    o: list[stream.Interface]
    writing: Signal
    busy: Signal
    wrong: Signal
    corrupt: Signal
    clear: Signal
    events: data.View
    progress: Signal

    def __init__(self, *, config: AcceleratorConfig):
        self._config = config
        writer = config.writer
        run = data.StructLayout({"address": unsigned(32), "words": unsigned(32)})
        words = stream.Signature(unsigned(8 * config.word_bytes))
        names = ("tape_stall", "table_stall", "compute", "attention", "head")
        super().__init__(
            {
                "start": In(1),
                "address": In(32),
                "length": In(32),
                "o_run": Out(stream.Signature(run)).array(len(CHANNELS)),
                "i_word": In(words).array(len(CHANNELS)),
                "o_command": Out(stream.Signature(writer.command)).array(WriteMerge.ASKERS),
                "o": Out(stream.Signature(writer.granule)).array(WriteMerge.ASKERS),
                "writing": In(1),
                "busy": Out(1),
                "wrong": Out(1),
                "corrupt": Out(1),
                "clear": In(1),
                "events": Out(data.StructLayout(dict.fromkeys(names, unsigned(1)))),
                "progress": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.dispatcher = dispatcher = Dispatcher(
            word=8 * config.word_bytes, caps=config.spec.caps, shape=config.spec.shape
        )
        commands = self._commands(m, dispatcher)
        m.submodules.loader = loader = RowLoader(config.vector)
        m.submodules.residual = residual = Residual(config.vector)
        m.submodules.rotary = rotary = Rotary(config.vector)
        m.submodules.attention = attention = AttentionUnit(config.attention_unit)
        m.submodules.head = head = HeadUnit(config.head_unit)
        m.submodules.gate = gate = Gate(config.vector)
        m.submodules.cache = cache = CacheWriter(config.cache)

        self._load_rows(m, commands["rows"], loader, residual, rotary)
        quantised = self._quantise(m, commands["norm"], [residual.o[NORM], gate.o, attention.o])
        to_rotary, *outputs = self._multiply(m, commands, quantised, head)
        factors = self._norm_heads(m, commands["heads"], to_rotary, quantised.head_gains, rotary)
        self._post_process(m, commands, outputs, residual, gate, head)
        self._attend(m, commands, rotary, factors, attention, cache)
        self._head(m, commands, quantised, attention, head, residual.o[DUMP])
        self._end(m, dispatcher, commands, residual, cache)
        return m

    def _commands(self, m: Module, dispatcher: Dispatcher) -> dict[str, CommandFork]:
        """Add a queue for each consumer of each command; return the forks by command."""
        forks = {}
        for name in UNITS:
            consumers = CONSUMERS.get(name, UNIT)
            if name == "heads" and self._config.qk_norm:
                consumers = (*consumers, "norm")
            fork = CommandFork(layout=command_layout(name), consumers=consumers)
            m.submodules[f"commands_{name}"] = forks[name] = fork
            connect(m, dispatcher.to(name), fork.i)
        m.d.comb += [
            dispatcher.start.eq(self.start),
            dispatcher.address.eq(self.address),
            dispatcher.length.eq(self.length),
            self.busy.eq(dispatcher.busy),
            self.wrong.eq(dispatcher.error),
        ]
        self._fetch(m, "program", dispatcher.o_run, dispatcher.i)
        return forks

    def _fetch(
        self, m: Module, channel: str, run: stream.Interface, consumer: stream.Interface
    ) -> None:
        """Connect a channel: runs to the memory system, words to the consumer."""
        index = CHANNELS.index(channel)
        target = self.o_run[index]
        m.d.comb += [
            target.valid.eq(run.valid),
            target.payload.address.eq(run.payload.address),
            target.payload.words.eq(run.payload.words),
            run.ready.eq(target.ready),
        ]
        connect(m, flipped(self.i_word[index]), consumer)

    def _load_rows(
        self, m: Module, rows: CommandFork, loader: RowLoader, residual: Residual, rotary: Rotary
    ) -> None:
        """Connect the row loader: embeddings to the residual stream, rotations to rotary."""
        m.submodules.row_fetch = fetch = RowFetch()
        connect(m, rows.to("fetch"), fetch.i_command)
        connect(m, rows.to("loader"), loader.i_command)
        self._fetch(m, "rows", fetch.o, loader.i)
        connect(m, loader.o_element, residual.i_element)
        connect(m, loader.o_table, rotary.i_table)
        loaded = rows.empty & loader.o_idle
        m.d.comb += [residual.i_loaded.eq(loaded), rotary.i_loaded.eq(loaded)]

    def _quantise(
        self, m: Module, norm: CommandFork, sources: Sequence[stream.Interface]
    ) -> "_Quantised":
        """Quantise the rows of the sources; return columns and scales for engine and head."""
        vector = self._config.vector
        m.submodules.gains = gains = GainReader(vector)
        m.submodules.quantiser = quantiser = RowQuantiser(vector)
        m.submodules.row_sources = rows = RowSwitch(
            layout=vector.row, field="source", count=len(sources)
        )
        m.submodules.column_targets = columns = RowSwitch(
            layout=vector.shifted_column,
            field="target",
            count=2,
            both=self._config.shortlist > 0,
        )
        # Only the head of ternary rows has columns for the engine and scales for itself.
        target = "scale_target" if vector.grouped else "target"
        m.submodules.scale_targets = scales = RowSwitch(layout=vector.row, field=target, count=2)
        for name, consumer in (
            ("quantiser", quantiser),
            ("gains", gains),
            ("sources", rows),
            ("columns", columns),
            ("scales", scales),
        ):
            connect(m, norm.to(name), consumer.i_command)
        self._fetch(m, "vector", norm.to("gain_words"), gains.i)
        for source, entry in zip(sources, rows.i, strict=True):
            connect(m, source, entry)
        connect(m, rows.o[0], quantiser.i)
        connect(m, gains.o_gain, quantiser.i_gain)
        connect(m, quantiser.o, columns.i[0])
        m.d.comb += [
            scales.i[0].valid.eq(quantiser.o_scales.valid),
            scales.i[0].payload["values"].eq(quantiser.o_scales.payload),
            scales.i[0].payload.last.eq(1),
            quantiser.o_scales.ready.eq(scales.i[0].ready),
        ]
        engine_columns, head_columns = columns.o
        engine_scales, head_scales = scales.o
        return _Quantised(
            engine_columns=engine_columns,
            engine_scales=engine_scales,
            head_columns=head_columns,
            head_scales=head_scales,
            weight_scales=gains.o_weights,
            head_gains=gains.o_head_gain if vector.qk_norm else None,
        )

    @staticmethod
    def _scales(m: Module, row: stream.Interface, consumer: stream.Interface) -> None:
        """Connect scales of a switch, which are rows of one element."""
        m.d.comb += [
            consumer.valid.eq(row.valid),
            consumer.payload.eq(row.payload["values"]),
            row.ready.eq(consumer.ready),
        ]

    def _multiply(
        self, m: Module, commands: dict[str, CommandFork], rows: "_Quantised", head: HeadUnit
    ) -> Sequence[stream.Interface]:
        """Add the ternary engine on its tape; return its float32 rows for three targets."""
        config = self._config
        m.submodules.router = router = WordRouter(
            width=8 * config.word_bytes, targets=2, command=command_layout("tape")
        )
        m.submodules.store = store = ActivationStore(config.vector)
        m.submodules.engine = engine = TlmmEngine(config=config.tlmm)
        m.submodules.dequantiser = dequantiser = Dequantiser(config.vector)
        self._fetch_tape(m, commands["tape"], router, head)
        connect(m, router.o[HEAD], head.i_word)

        engines = commands["engine"]
        row_scales = cut_tape(m, config, engines.to("segment"), router.o[ENGINE], engine.i_codes)
        matrix = engines.to("matrix")
        connect_matrix(m, config, matrix, engine)
        connect(m, engines.to("store"), store.i_command)
        connect(m, rows.engine_columns, store.i)
        connect(m, store.o, engine.i_groups)
        m.d.comb += [self.corrupt.eq(engine.error), engine.clear.eq(self.clear)]
        connect(m, commands["dequantise"].to("unit"), dequantiser.i_command)
        connect(m, rows.weight_scales, dequantiser.i_weights)
        self._scales(m, rows.engine_scales, dequantiser.i_scales)
        connect(m, engine.o_sums, dequantiser.i)
        if row_scales is not None:
            connect(m, row_scales, dequantiser.i_row_scales)

        codes, sums = engine.i_codes, engine.o_sums
        # The engine takes a matrix while it plays the previous one.
        m.submodules.matrices_left = matrices = Outstanding()
        m.d.comb += [
            matrices.issued.eq(matrix.valid & matrix.ready),
            matrices.done.eq(sums.valid & sums.ready & sums.payload.last),
            self.events.compute.eq(codes.valid & codes.ready),
            self.events.tape_stall.eq(matrices.any & codes.ready & ~codes.valid),
            self.events.table_stall.eq(matrices.any & ~codes.ready),
            self.events.head.eq(router.active[HEAD]),
        ]
        return dequantiser.o

    def _fetch_tape(self, m: Module, tape: CommandFork, router: WordRouter, head: HeadUnit) -> None:
        """Connect runs of the tape: those of commands and, behind them, those of listed rows."""
        runs, routes = tape.to("words"), tape.to("router")
        if self._config.shortlist:
            runs = self._join(m, runs, head.o_word_run, address=head.o_word_run.payload, words=1)
            routes = self._join(m, routes, head.o_words, target=HEAD, words=head.o_words.payload)
        self._fetch(m, "tape", runs, router.i)
        connect(m, routes, router.i_command)

    @staticmethod
    def _join(
        m: Module, commands: stream.Interface, others: stream.Interface, **fields: Value | int
    ) -> stream.Interface:
        """Return a stream of commands ``tape`` and, while there are none, of others."""
        joined = stream.Signature(commands.payload.shape()).create()
        m.d.comb += [
            joined.valid.eq(commands.valid | others.valid),
            joined.payload.eq(commands.payload),
            commands.ready.eq(joined.ready),
            others.ready.eq(joined.ready & ~commands.valid),
        ]
        with m.If(~commands.valid):
            m.d.comb += [joined.payload[name].eq(value) for name, value in fields.items()]
        return joined

    def _norm_heads(
        self,
        m: Module,
        heads: CommandFork,
        row: stream.Interface,
        gains: stream.Interface | None,
        rotary: Rotary,
    ) -> stream.Interface | None:
        """Connect queries, keys and values to rotary, with q/k norms through their norm.

        Returns
        -------
        The factors of normed heads, if there are gains for them.
        """
        if gains is None:
            connect(m, row, rotary.i)
            return None
        m.submodules.head_norm = norm = HeadNorm(self._config.vector)
        connect(m, heads.to("norm"), norm.i_command)
        connect(m, gains, norm.i_gain)
        connect(m, row, norm.i)
        connect(m, norm.o, rotary.i)
        return norm.o_factors

    def _post_process(
        self,
        m: Module,
        commands: dict[str, CommandFork],
        outputs: Sequence[stream.Interface],
        residual: Residual,
        gate: Gate,
        head: HeadUnit,
    ) -> None:
        """Connect the outputs of linears to their targets."""
        consumers = [residual.i, gate.i]
        if self._config.grouped:
            consumers.append(head.i_row)
        for output, consumer in zip(outputs, consumers, strict=True):
            connect(m, output, consumer)
        connect(m, commands["residual"].to("unit"), residual.i_command)
        connect(m, commands["gate"].to("unit"), gate.i_command)

    def _attend(
        self,
        m: Module,
        commands: dict[str, CommandFork],
        rotary: Rotary,
        factors: stream.Interface | None,
        attention: AttentionUnit,
        cache: CacheWriter,
    ) -> None:
        """Connect queries, keys and values to the attention and to the cache writer."""
        m.submodules.head_quantiser = quantiser = HeadQuantiser(self._config.vector)
        heads = commands["heads"]
        connect(m, heads.to("rotary"), rotary.i_command)
        connect(m, heads.to("quantiser"), quantiser.i_command)
        connect(m, heads.to("cache"), cache.i_command)
        connect(m, rotary.o, quantiser.i)
        if factors is not None:
            connect(m, factors, quantiser.i_factors)
        connect(m, quantiser.o_query, attention.i_query)
        connect(m, quantiser.o_query_scales, attention.i_query_scales)
        connect(m, quantiser.o_cache, cache.i)
        connect(m, quantiser.o_cache_scales, cache.i_scales)
        connect(m, cache.o_command, flipped(self.o_command[CACHE]))
        connect(m, cache.o, flipped(self.o[CACHE]))
        m.d.comb += cache.written.eq(~self.writing)
        connect(m, cache.o_done, attention.i_written)
        connect(m, commands["attention"].to("unit"), attention.i_command)
        self._fetch(m, "cache", attention.o_run, attention.i_word)
        attending = Signal()
        with m.If(cache.o_done.valid & cache.o_done.ready):
            m.d.sync += attending.eq(1)
        with m.Elif(attention.o.valid & attention.o.ready & attention.o.payload.last):
            m.d.sync += attending.eq(0)
        m.d.comb += self.events.attention.eq(attending)

    def _head(
        self,
        m: Module,
        commands: dict[str, CommandFork],
        rows: "_Quantised",
        attention: AttentionUnit,
        head: HeadUnit,
        residual: stream.Interface,
    ) -> None:
        """Add the model's head and the writer of all results for the host."""
        config = self._config
        m.submodules.dump = dump = Dump(config.vector)
        m.submodules.result_merge = merge = RunMerge(config.head)
        m.submodules.results = results = ResultWriter(config.results)
        columns = rows.head_columns
        m.d.comb += [
            head.i.valid.eq(columns.valid),
            [
                head.i.payload[name].eq(columns.payload[name])
                for name in head.i.payload.shape().members
            ],
            columns.ready.eq(head.i.ready),
        ]
        self._scales(m, rows.head_scales, head.i_scales)
        connect(m, commands["head"].to("unit"), head.i_command)
        connect(m, commands["dump"].to("unit"), dump.i_command)
        connect(m, residual, dump.i)
        connect(m, head.o_head_vector, attention.i_head_vector)
        connect(m, head.o_head_command, attention.i_head_command)
        connect(m, head.o_head_row, attention.i_head_row)
        connect(m, attention.o_head_sum, head.i_head_sum)
        for index, unit in enumerate((head, dump)):
            connect(m, unit.o_run, merge.i_run[index])
            connect(m, unit.o_line, merge.i_line[index])
        connect(m, merge.o_run, results.i_run)
        connect(m, merge.o_line, results.i_line)
        connect(m, results.o_command, flipped(self.o_command[RESULTS]))
        connect(m, results.o, flipped(self.o[RESULTS]))

    def _end(
        self,
        m: Module,
        dispatcher: Dispatcher,
        commands: dict[str, CommandFork],
        residual: Residual,
        cache: CacheWriter,
    ) -> None:
        """Add the end of the pass, and the progress signal of the watchdog."""
        m.submodules.pass_end = end = PassEnd()
        head = dispatcher.to("head")
        runs = 1 + head.payload.logits
        m.d.comb += [
            end.row_issued.eq(_moves(dispatcher.to("residual"))),
            end.row_done.eq(Cat(_moves(row) & row.payload.last for row in residual.o).any()),
            end.cache_issued.eq(_moves(dispatcher.to("heads"))),
            end.cache_done.eq(_moves(cache.o_done)),
            end.results_issued.eq(Mux(_moves(head), runs, _moves(dispatcher.to("dump")))),
            end.results_done.eq(_moves(self.o_command[RESULTS])),
            end.waiting.eq(Cat(~fork.empty for fork in commands.values()).any()),
            end.writing.eq(self.writing),
            dispatcher.idle.eq(end.idle),
        ]
        moving = [*self.i_word, *self.o_command, *self.o, *residual.o]
        moved = Signal(len(moving) + 1)
        m.d.sync += [
            moved.eq(Cat(*map(_moves, moving), self.events.compute)),
            self.progress.eq(moved.any()),
        ]


@dataclass(frozen=True, kw_only=True)
class _Quantised:
    """Streams of quantised rows, for the engine and for the head."""

    engine_columns: stream.Interface
    engine_scales: stream.Interface
    head_columns: stream.Interface
    head_scales: stream.Interface
    weight_scales: stream.Interface
    head_gains: stream.Interface | None
    """Gains of queries and keys, if these may be normed."""


def _moves(port: stream.Interface) -> Value:
    """Return a signal that is high in the cycle of a transfer."""
    return port.valid & port.ready
