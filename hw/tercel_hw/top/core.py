"""All units of the accelerator and the streams between them."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from tercel_hw.attention import AttentionUnit
from tercel_hw.cache import CacheWriter
from tercel_hw.head import Dump, HeadUnit, ResultWriter, RunMerge
from tercel_hw.memory import Gearbox, WriteMerge
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.top.config import CHANNELS, AcceleratorConfig
from tercel_hw.top.dispatcher import UNITS, Dispatcher
from tercel_hw.top.fork import CommandFork
from tercel_hw.top.gain_reader import GainReader
from tercel_hw.top.outstanding import Outstanding
from tercel_hw.top.row_fetch import RowFetch
from tercel_hw.top.row_switch import RowSwitch
from tercel_hw.top.word_router import WordRouter
from tercel_hw.vector import (
    ActivationStore,
    Dequantiser,
    Gate,
    HeadQuantiser,
    Residual,
    Rotary,
    RowLoader,
    RowQuantiser,
    command_layout,
)

__all__ = ["Core"]

CONSUMERS = {"norm": 6, "tape": 2, "engine": 3, "heads": 3, "rows": 2}
"""Who is commands of a command, where it is more than one."""
NORM, DUMP = 0, 1
"""Targets of the residual stream."""


class Core(wiring.Component):
    """Runs a pass program on the channels of a :class:`MemorySystem`.

    The dispatcher hands out commands; every unit waits for its next one and for its streams. There
    is no other control. A pass ends when all that it writes has been written.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    start : In(1)
    address, length : In(32)
        The program: word address and number of commands.
    o_run, i_word : arrays of streams, one a channel
    o_command, o : arrays of 2 streams of runs and granules
    writing : In(1)
        Those of the memory system.
    busy : Out(1)
    wrong : Out(1)
        A pulse: the program is wrong.
    corrupt : Out(1)
        A weight code is corrupt; stays until `clear`.
    clear : In(1)
    events : Out
        What to count: ``tape_stall``, ``table_stall``, ``compute``, ``attention``, ``head``.
    progress : Out(1)
        Something moved.
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
        forks = self._forks(m, dispatcher)
        commands = {name: fork.o for name, fork in forks.items()}
        m.submodules.loader = loader = RowLoader(config.vector)
        m.submodules.residual = residual = Residual(config.vector)
        m.submodules.rotary = rotary = Rotary(config.vector)
        m.submodules.attention = attention = AttentionUnit(config.attention_unit)
        m.submodules.head = head = HeadUnit(config.head_unit)
        m.submodules.gate = gate = Gate(config.vector)

        self._load_rows(m, commands["rows"], loader, residual, rotary, forks["rows"].empty)
        columns, scales, weights = self._quantise(
            m, commands["norm"], [residual.o[NORM], gate.o, attention.o]
        )
        outputs = self._multiply(m, commands, columns[0], scales[0], weights, head)
        self._post_process(m, commands, outputs, rotary, residual, gate)
        written = self._attend(m, commands, rotary, attention)
        connect(m, columns[1], head.i)
        self._scales(m, scales[1], head.i_scales)
        self._head(m, commands, attention, head, residual.o[DUMP])
        self._end(m, dispatcher, forks, residual, written, head.busy)
        return m

    def _forks(self, m: Module, dispatcher: Dispatcher) -> dict[str, CommandFork]:
        """A queue for each consumer of each command."""
        forks = {}
        for name in UNITS:
            fork = CommandFork(layout=command_layout(name), consumers=CONSUMERS.get(name, 1))
            m.submodules[f"commands_{name}"] = forks[name] = fork
            connect(m, getattr(dispatcher, name), fork.i)
        m.d.comb += [
            dispatcher.start.eq(self.start),
            dispatcher.address.eq(self.address),
            dispatcher.length.eq(self.length),
            self.busy.eq(dispatcher.busy),
            self.wrong.eq(dispatcher.error),
        ]
        self._fetch(m, "program", dispatcher.o_run, dispatcher.i)
        return forks

    def _fetch(self, m: Module, channel: str, run: stream.Interface, consumer: stream.Interface):
        """Ask a channel for runs; give its words to the consumer."""
        index = CHANNELS.index(channel)
        target = self.o_run[index]
        m.d.comb += [
            target.valid.eq(run.valid),
            target.payload.address.eq(run.payload.address),
            target.payload.words.eq(run.payload.words),
            run.ready.eq(target.ready),
        ]
        connect(m, flipped(self.i_word[index]), consumer)

    def _load_rows(self, m: Module, commands, loader, residual, rotary, empty) -> None:
        """Embeddings into the residual stream, rotations into the rotary unit's table."""
        m.submodules.row_fetch = fetch = RowFetch()
        connect(m, commands[0], fetch.i_command)
        connect(m, commands[1], loader.i_command)
        self._fetch(m, "rows", fetch.o, loader.i)
        connect(m, loader.o_element, residual.i_element)
        connect(m, loader.o_table, rotary.i_table)
        loaded = empty & loader.o_idle
        m.d.comb += [residual.i_loaded.eq(loaded), rotary.i_loaded.eq(loaded)]

    def _quantise(
        self, m: Module, commands, sources
    ) -> tuple[Sequence, Sequence, stream.Interface]:
        """Rows of the sources to columns and scales of the engine and of the head."""
        vector = self._config.vector
        m.submodules.gains = gains = GainReader(vector)
        m.submodules.quantiser = quantiser = RowQuantiser(vector)
        sources_switch = RowSwitch(layout=vector.row, field="source", count=len(sources))
        columns = RowSwitch(layout=vector.column, field="target", count=2)
        scales = RowSwitch(layout=vector.row, field="target", count=2)
        m.submodules.row_sources = sources_switch
        m.submodules.column_targets = columns
        m.submodules.scale_targets = scales
        consumers = [quantiser, gains, sources_switch, columns, scales]
        for command, consumer in zip(commands[1:], consumers, strict=True):
            connect(m, command, consumer.i_command)
        self._fetch(m, "vector", commands[0], gains.i)
        for source, entry in zip(sources, sources_switch.i, strict=True):
            connect(m, source, entry)
        connect(m, sources_switch.o[0], quantiser.i)
        connect(m, gains.o_gain, quantiser.i_gain)
        connect(m, quantiser.o, columns.i[0])
        m.d.comb += [
            scales.i[0].valid.eq(quantiser.o_scales.valid),
            scales.i[0].payload["values"].eq(quantiser.o_scales.payload),
            scales.i[0].payload.last.eq(1),
            quantiser.o_scales.ready.eq(scales.i[0].ready),
        ]
        return columns.o, scales.o, gains.o_weights

    @staticmethod
    def _scales(m: Module, row: stream.Interface, consumer: stream.Interface) -> None:
        """The scales of a switch are rows of one element."""
        m.d.comb += [
            consumer.valid.eq(row.valid),
            consumer.payload.eq(row.payload["values"]),
            row.ready.eq(consumer.ready),
        ]

    def _multiply(self, m: Module, commands, columns, scales, weights, head) -> list:
        """The ternary engine on its tape; float32 rows to three targets."""
        config = self._config
        m.submodules.router = router = WordRouter(
            width=8 * config.word_bytes, targets=2, command=command_layout("tape")
        )
        m.submodules.gearbox = gearbox = Gearbox(config=config.gearbox)
        m.submodules.store = store = ActivationStore(config.vector)
        m.submodules.engine = engine = TlmmEngine(config=config.tlmm)
        m.submodules.dequantiser = dequantiser = Dequantiser(config.vector)
        self._fetch(m, "tape", commands["tape"][0], router.i)
        connect(m, commands["tape"][1], router.i_command)
        connect(m, router.o[0], gearbox.i)
        connect(m, router.o[1], head.i_word)

        segment, matrix, rounds = commands["engine"]
        for command, consumer, names in (
            (segment, gearbox.i_segment, {"bytes": "bytes", "chunks": "row_chunks"}),
            (matrix, engine.i_command, {name: name for name in ("rows", "chunks", "codes")}),
        ):
            m.d.comb += [consumer.valid.eq(command.valid), command.ready.eq(consumer.ready)]
            m.d.comb += [consumer.payload[to].eq(command.payload[of]) for to, of in names.items()]
        connect(m, rounds, store.i_command)
        connect(m, columns, store.i)
        connect(m, store.o, engine.i_groups)
        m.d.comb += [
            engine.i_codes.valid.eq(gearbox.o.valid),
            engine.i_codes.payload.eq(gearbox.o.payload.data),
            gearbox.o.ready.eq(engine.i_codes.ready),
            self.corrupt.eq(engine.error),
            engine.clear.eq(self.clear),
        ]
        connect(m, commands["dequantise"][0], dequantiser.i_command)
        connect(m, weights, dequantiser.i_weights)
        self._scales(m, scales, dequantiser.i_scales)
        connect(m, engine.o_sums, dequantiser.i)

        codes, sums = engine.i_codes, engine.o_sums
        # The engine takes a matrix while it plays the one before.
        m.submodules.matrices_left = matrices = Outstanding()
        m.d.comb += [
            matrices.issued.eq(matrix.valid & matrix.ready),
            matrices.done.eq(sums.valid & sums.ready & sums.payload.last),
            self.events.compute.eq(codes.valid & codes.ready),
            self.events.tape_stall.eq(matrices.any & codes.ready & ~codes.valid),
            self.events.table_stall.eq(matrices.any & ~codes.ready),
            self.events.head.eq(router.active[1]),
        ]
        return dequantiser.o

    def _post_process(self, m: Module, commands, outputs, rotary, residual, gate) -> None:
        """What becomes of a linear's output."""
        for output, consumer in zip(outputs, (rotary.i, residual.i, gate.i), strict=True):
            connect(m, output, consumer)
        connect(m, commands["residual"][0], residual.i_command)
        connect(m, commands["gate"][0], gate.i_command)

    def _attend(self, m: Module, commands, rotary, attention) -> stream.Interface:
        """Queries, keys and values to the attention and to the cache; what tells of the latter."""
        config = self._config
        m.submodules.head_quantiser = quantiser = HeadQuantiser(config.vector)
        m.submodules.cache = cache = CacheWriter(config.cache)
        for command, consumer in zip(commands["heads"], (rotary, quantiser, cache), strict=True):
            connect(m, command, consumer.i_command)
        connect(m, rotary.o, quantiser.i)
        connect(m, quantiser.o_query, attention.i_query)
        connect(m, quantiser.o_query_scales, attention.i_query_scales)
        connect(m, quantiser.o_cache, cache.i)
        connect(m, quantiser.o_cache_scales, cache.i_scales)
        connect(m, cache.o_command, flipped(self.o_command[0]))
        connect(m, cache.o, flipped(self.o[0]))
        m.d.comb += cache.written.eq(~self.writing)
        connect(m, cache.o_done, attention.i_written)
        connect(m, commands["attention"][0], attention.i_command)
        self._fetch(m, "cache", attention.o_run, attention.i_word)
        attending = Signal()
        with m.If(cache.o_done.valid & cache.o_done.ready):
            m.d.sync += attending.eq(1)
        with m.Elif(attention.o.valid & attention.o.ready & attention.o.payload.last):
            m.d.sync += attending.eq(0)
        m.d.comb += self.events.attention.eq(attending)
        return cache.o_done

    def _head(self, m: Module, commands, attention, head, residual) -> None:
        """The model's head and everything else that is written for the host."""
        config = self._config
        m.submodules.dump = dump = Dump(config.vector)
        m.submodules.result_merge = merge = RunMerge(config.head)
        m.submodules.results = results = ResultWriter(config.results)
        connect(m, commands["head"][0], head.i_command)
        connect(m, commands["dump"][0], dump.i_command)
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
        connect(m, results.o_command, flipped(self.o_command[1]))
        connect(m, results.o, flipped(self.o[1]))

    def _end(self, m: Module, dispatcher, forks, residual, cache_done, sweeping) -> None:
        """When all is done, and whether anything moves."""
        m.submodules.rows_left = rows = Outstanding()
        m.submodules.caches_left = caches = Outstanding()
        m.submodules.results_left = results = Outstanding()
        issued = {
            name: getattr(dispatcher, name).valid & getattr(dispatcher, name).ready
            for name in ("residual", "heads", "head", "dump")
        }
        runs = 1 + dispatcher.head.payload.logits
        m.d.comb += [
            rows.issued.eq(issued["residual"]),
            rows.done.eq(Cat(row.valid & row.ready & row.payload.last for row in residual.o).any()),
            caches.issued.eq(issued["heads"]),
            caches.done.eq(cache_done.valid & cache_done.ready),
            results.issued.eq(Mux(issued["head"], runs, issued["dump"])),
            results.done.eq(self.o_command[1].valid & self.o_command[1].ready),
        ]
        left = Cat(counter.any for counter in (rows, caches, results))
        waiting = Cat(~fork.empty for fork in forks.values())
        # The head's results may be written before the last of its rows, which do not count.
        busy = left.any() | waiting.any() | self.writing | sweeping
        m.d.sync += dispatcher.idle.eq(~busy)
        moving = [*self.i_word, *self.o_command, *self.o, *residual.o]
        m.d.sync += self.progress.eq(
            Cat(port.valid & port.ready for port in moving).any() | self.events.compute
        )
