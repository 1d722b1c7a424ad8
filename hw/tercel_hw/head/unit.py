"""The head unit: the language-model head on the attention's dense engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring

from tercel.program.command import ADDRESS_BITS
from tercel_hw.head.block_reader import BlockReader
from tercel_hw.head.lane_logits import LaneLogits
from tercel_hw.head.line_builder import LineBuilder
from tercel_hw.head.line_run import RUN
from tercel_hw.head.list_fetch import ListFetch
from tercel_hw.head.list_reader import ListReader
from tercel_hw.head.results import HeadResults
from tercel_hw.head.shortlist import Shortlist
from tercel_hw.head.unit_config import HeadUnitConfig
from tercel_hw.memory import FifoConfig, RegisterSlice, StreamFifo
from tercel_hw.shallow_fifo import ShallowFifo
from tercel_hw.vector.config import command_layout

__all__ = ["HeadUnit"]

LISTED = 64
"""Listed rows whose sums have not come: those of three groups, and of one that is gathered."""


class HeadUnit(wiring.Component):
    """``numerics.head_logits`` over a head's tape, and the results derived from the logits.

    For each command the activations are written to the dense engine's vectors, a column a cycle;
    then the engine gets its command and the tape's words pass combinationally, one a cycle: blocks
    of 16 row scales and 16 rows. With ``head.ternary_rows`` a sweep may be ``ternary``: then the
    unscaled logits come as rows, of which as many wait in a queue, and neither columns nor words.
    With ``head.shortlist`` it may have ``two_stage``: columns are written, then approximate logits
    come as such rows to `Shortlist`; the words of the listed rows are requested, and the dense
    engine takes them in groups of 16 rows, for each of which it gets a command.
    Lines for the host come in runs: if ``logits``, one with a line of
    unscaled logits for each row below ``limit``; then the :class:`Summary`. All arithmetic is done
    lane by lane: a row takes ``nodes`` cycles, and those that `TopK` needs. A row's line is offered
    ``LATENCY + nodes - 1`` cycles after its sums have been taken.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("head")))
        ``rows`` is a multiple of 16 unless ``ternary``, ``1 <= limit <= rows``, ``top_k`` at most
        ``config.head.top_k``, ``1 <= nodes <= config.head.nodes``: results of other
        lanes are undefined. Taken when the previous sweep has ended. With ``two_stage`` no
        ``logits``, and `Shortlist` has rules for ``buckets``.
    i : In(stream.Signature(config.column))
        Activations; the rows of the tape are zero beyond them.
    i_scales : In(stream.Signature(config.head.floats))
        Scales of the activations; taken when the lines are built.
    i_word : In(stream.Signature(config.word))
        Words of the tape.
    i_row : In(stream.Signature(config.head.row))
        Rows of a ternary head or of a shortlist; only with ``head.ternary_rows``.
    o_words : Out(stream.Signature(32))
    o_word_run : Out(stream.Signature(32))
        Number of words of a group of listed rows, and their addresses; only with
        ``head.shortlist``.
    o_head_command : Out(stream.Signature(config.sweep))
    o_head_vector : Out(stream.Signature(config.dense.column))
        All columns of a sweep, before its ``o_head_command``.
    o_head_row : Out(stream.Signature(config.dense.beat))
        Rows, after ``o_head_command``.
    i_head_sum : In(stream.Signature(config.dense.sums))
        Sums from the dense engine.
    o_run : Out(stream.Signature(RUN))
        Runs, each before its lines.
    o_line : Out(stream.Signature(config.head.floats))
    """

    LATENCY = LaneLogits.LATENCY + LineBuilder.LATENCY

    i_command: stream.Interface
    i: stream.Interface
    i_scales: stream.Interface
    i_word: stream.Interface
    i_row: stream.Interface
    o_words: stream.Interface
    o_word_run: stream.Interface
    o_head_command: stream.Interface
    o_head_vector: stream.Interface
    o_head_row: stream.Interface
    i_head_sum: stream.Interface
    o_run: stream.Interface
    o_line: stream.Interface

    def __init__(self, config: HeadUnitConfig):
        self._config = config
        dense, floats = config.dense, config.head.floats
        rows, words = stream.Signature(config.head.row), stream.Signature(unsigned(ADDRESS_BITS))
        given = {"i_row": wiring.In(rows)} if config.head.ternary_rows else {}
        if config.head.shortlist:
            given |= {"o_words": wiring.Out(words), "o_word_run": wiring.Out(words)}
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("head"))),
                "i": wiring.In(stream.Signature(config.column)),
                "i_scales": wiring.In(stream.Signature(floats)),
                "i_word": wiring.In(stream.Signature(unsigned(config.word))),
                "o_head_command": wiring.Out(stream.Signature(config.sweep)),
                "o_head_vector": wiring.Out(stream.Signature(dense.column)),
                "o_head_row": wiring.Out(stream.Signature(dense.beat)),
                "i_head_sum": wiring.In(stream.Signature(dense.sums)),
                "o_run": wiring.Out(stream.Signature(RUN)),
                "o_line": wiring.Out(stream.Signature(floats)),
                **given,
            }
        )

    @property
    def config(self) -> HeadUnitConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.reader = reader = BlockReader(config)
        m.submodules.logits = logits = LaneLogits(config.head)
        m.submodules.results = results = HeadResults(config.head)

        wiring.connect(m, wiring.flipped(self.i_scales), results.i_scales)
        wiring.connect(m, wiring.flipped(self.i_head_sum), logits.i_sum)
        wiring.connect(m, logits.o, results.i)
        wiring.connect(m, results.o_run, wiring.flipped(self.o_run))
        wiring.connect(m, results.o_line, wiring.flipped(self.o_line))

        command = Signal.like(self.i_command.payload, reset_less=True)
        element = Signal(range(config.dense.slices * config.dense.macs))
        vector = self.o_head_vector
        index_bits = config.dense.macs.bit_length() - 1
        dense, sweep = self.o_head_command.payload, logits.i_command.payload
        m.d.comb += [
            vector.payload.slice.eq(element[index_bits:]),
            vector.payload.index.eq(element[:index_bits]),
            vector.payload.lanes.eq(~0),
            vector.payload["values"].eq(self.i.payload["values"]),
            dense.slices.eq(command.slices),
            dense.rows.eq(command.rows),
            reader.i_command.payload.eq(dense),
            [sweep[name].eq(command[name]) for name in ("rows", "limit", "nodes")],
            results.i_command.payload.eq(command),
        ]
        parts = (reader, logits, results)
        given, lists = [], None
        if config.head.ternary_rows:
            m.d.comb += sweep.ternary.eq(command.ternary)
            given.append(logits.i_row)
        readers: list[BlockReader | ListReader] = [reader]
        if config.head.shortlist:
            lists = self._list(m, command, logits.i_listed)
            given.append(lists.rows)
            readers.append(lists.reader)
            m.d.comb += sweep.listed.eq(command.two_stage)
            with m.If(command.two_stage):
                m.d.comb += dense.rows.eq(lists.groups.payload.rows)
        self._connect_tape(m, readers, command.two_stage, self._scales(m, logits.i_scale))
        if given:
            self._queue_rows(m, given, command.two_stage)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.i_command.ready.eq(1)
                with m.If(self.i_command.valid):
                    m.d.sync += [command.eq(self.i_command.payload), element.eq(0)]
                    m.next = "load"
                    if config.head.ternary_rows:
                        with m.If(self.i_command.payload.ternary):
                            m.next = "await"
            if config.head.ternary_rows:
                with m.State("await"):
                    # A run that is asked for earlier would keep the cache's writes from memory.
                    with m.If(logits.i_row.valid):
                        m.next = "start"
            with m.State("load"):
                m.d.comb += [vector.valid.eq(self.i.valid), self.i.ready.eq(vector.ready)]
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += element.eq(element + 1)
                    with m.If(self.i.payload.last):
                        m.next = "ask"
                        if lists is not None:
                            with m.If(command.two_stage):
                                m.next = "list"
            with m.State("ask"):
                m.d.comb += self.o_head_command.valid.eq(1)
                with m.If(self.o_head_command.ready):
                    m.next = "start"
            with m.State("start"):
                # All blocks are idle: the previous sweep has ended.
                m.d.comb += [part.i_command.valid.eq(1) for part in parts]
                if config.head.ternary_rows:
                    m.d.comb += reader.i_command.valid.eq(~command.ternary)
                m.next = "sweep"
            if lists is not None:
                with m.State("list"):
                    m.d.comb += [
                        each.valid.eq(1)
                        for each in (*lists.commands, logits.i_command, results.i_command)
                    ]
                    m.next = "group"
                with m.State("group"):
                    m.d.comb += [
                        self.o_head_command.valid.eq(lists.groups.valid),
                        lists.groups.ready.eq(self.o_head_command.ready),
                    ]
                    taken = lists.groups.valid & self.o_head_command.ready
                    with m.If(taken & lists.groups.payload.last):
                        m.next = "sweep"
            with m.State("sweep"):
                # The rows of padding come last.
                with m.If(Cat(part.i_command.ready for part in parts).all()):
                    m.next = "idle"
        return m

    def _connect_tape(
        self,
        m: Module,
        readers: Sequence[BlockReader | ListReader],
        two_stage: Signal,
        scales: stream.Interface,
    ) -> None:
        """Connect the tape's words to the reader of blocks or, in two stages, to that of lists; and
        its rows and scales to their consumers."""
        for index, reader in enumerate(readers):
            chosen = two_stage == index if len(readers) > 1 else Const(1)
            m.d.comb += [
                reader.i.payload.eq(self.i_word.payload),
                reader.i.valid.eq(self.i_word.valid & chosen),
            ]
            with m.If(chosen):
                m.d.comb += self.i_word.ready.eq(reader.i.ready)
                for source, target in ((reader.o_row, self.o_head_row), (reader.o_scale, scales)):
                    m.d.comb += [
                        target.payload.eq(source.payload),
                        target.valid.eq(source.valid),
                        source.ready.eq(target.ready),
                    ]

    def _scales(self, m: Module, consumer: stream.Interface) -> stream.Interface:
        """Return the consumer of row scales; with two readers a queue, as their choice is late."""
        if not self._config.head.shortlist:
            return consumer
        m.submodules.scales = scales = ShallowFifo(consumer.payload.shape(), depth=2)
        wiring.connect(m, scales.o, consumer)
        return scales.i

    def _queue_rows(
        self, m: Module, consumers: Sequence[stream.Interface], two_stage: Signal
    ) -> None:
        """Queue the rows of the ternary engine: those of a block come one a cycle.

        The consumers are that of ternary heads and, if there are shortlists, theirs.
        """
        head = self._config.head
        fifo = FifoConfig(width=head.floats.size, depth=head.ternary_rows, ram_style="block")
        m.submodules.rows = queue = StreamFifo(config=fifo)
        m.d.comb += [
            queue.i.valid.eq(self.i_row.valid),
            queue.i.payload.eq(self.i_row.payload["values"]),
            self.i_row.ready.eq(queue.i.ready),
        ]
        for index, rows in enumerate(consumers):
            chosen = two_stage == index if len(consumers) > 1 else Const(1)
            m.d.comb += [rows.payload.eq(queue.o.payload), rows.valid.eq(queue.o.valid & chosen)]
            with m.If(chosen):
                m.d.comb += queue.o.ready.eq(rows.ready)

    def _list(self, m: Module, command: data.View, listed: stream.Interface) -> "_Lists":
        """Add the shortlists, the requests of their rows' words, and the reader of these.

        Parameters
        ----------
        listed
            Consumer of the listed rows.
        """
        config = self._config
        m.submodules.shortlist = shortlist = Shortlist(config.head)
        m.submodules.fetch = fetch = ListFetch(config)
        for port in (shortlist.i_command, fetch.i_command):
            fields = port.payload
            m.d.comb += [fields[name].eq(command[name]) for name in fields.shape().members]
        m.submodules.list_reader = reader = ListReader(config)
        m.submodules.listed = rows = ShallowFifo(config.head.listed, depth=LISTED)
        m.submodules.places = numbers = ShallowFifo(reader.i_place.payload.shape(), depth=LISTED)
        # Lanes of a row decide much: they come from registers.
        m.submodules.next_listed = following = RegisterSlice(config.head.listed)
        wiring.connect(m, rows.o, following.i)
        wiring.connect(m, following.o, listed)
        wiring.connect(m, numbers.o, reader.i_place)
        group = reader.i_command
        m.d.comb += [
            group.valid.eq(fetch.o_read.valid),
            fetch.o_read.ready.eq(group.ready),
            group.payload.rows.eq(fetch.o_read.payload.rows),
            group.payload.slices.eq(command.slices),
        ]
        wiring.connect(m, fetch.o_words, wiring.flipped(self.o_words))
        wiring.connect(m, fetch.o_run, wiring.flipped(self.o_word_run))
        # A row goes to all of its consumers at once.
        consumers = (fetch.i, rows.i, numbers.i)
        ready = Cat(each.ready for each in consumers).all()
        taken = shortlist.o.valid & ready
        m.d.comb += [
            shortlist.o.ready.eq(ready),
            *(each.valid.eq(taken) for each in consumers),
            fetch.i.payload.eq(shortlist.o.payload),
            rows.i.payload.eq(shortlist.o.payload),
            numbers.i.payload.eq(shortlist.o.payload.row),
        ]
        commands = (shortlist.i_command, fetch.i_command)
        return _Lists(commands=commands, rows=shortlist.i, groups=fetch.o_group, reader=reader)


@dataclass(frozen=True, kw_only=True)
class _Lists:
    """Streams of the shortlists."""

    commands: tuple[stream.Interface, ...]
    rows: stream.Interface
    """Approximate logits."""
    groups: stream.Interface
    """Groups of listed rows whose words are requested."""
    reader: ListReader
