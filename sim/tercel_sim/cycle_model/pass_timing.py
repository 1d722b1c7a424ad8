"""The timing of a pass, command by command."""

from collections import defaultdict
from collections.abc import Mapping

from tercel_hw.float32 import LaneSumOfSquares, Multiplier, RoundToInt8
from tercel_hw.top import AcceleratorConfig
from tercel_hw.vector import Dequantiser, Gate, Residual
from tercel_hw.vector.row_scale import RowScale
from tercel_hw.vector.row_unit import RowUnit
from tercel_sim.cycle_model.attention import AttentionSweeps, Caching
from tercel_sim.cycle_model.dispatch import Command, Dispatch
from tercel_sim.cycle_model.engine import Engine, Rows
from tercel_sim.cycle_model.head import Head, Lines
from tercel_sim.cycle_model.loading import Loading
from tercel_sim.cycle_model.memory import Memory

__all__ = ["PassTiming"]

REPLAY = 1
ROTARY, RESIDUAL, GATE, TO_HEAD = range(4)
FROM_ATTENTION = 2
ENGINE = 0
SCALARS = 16
DUMP = 1
PARTS = 3
GATHERED = 16
"""Rows are padded to a multiple of it for their sums of squares."""
ENDED = 3
"""Cycles from the memory's last answer to the end of the pass."""


class PassTiming:
    """Times a program's commands, each of which waits for its unit and for its streams.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    program
        The encoded commands.
    memory
        The memory system, whose channels bring all words.
    address
        Address of the program's first word.
    listed
        Rows that some node lists in a two-stage head; None: the most.
    """

    SWEEPS = AttentionSweeps

    def __init__(
        self,
        config: AcceleratorConfig,
        program: list[Command],
        memory: Memory,
        *,
        address: int,
        listed: int | None = None,
    ):
        self._config = config
        self._program = program
        self._memory = memory
        self._dispatch = Dispatch(program, memory, word_bytes=config.word_bytes, address=address)
        self._loading = Loading(config, memory)
        self._engine = Engine(config, memory)
        self._caching = Caching(config, memory)
        self._sweeps = self.SWEEPS(config, memory)
        self._head = Head(config, memory)
        self._lines = Lines(config, memory)
        self.parts: dict[str, float] = defaultdict(float)
        """Cycles by part of the pass."""
        self._marked = 0.0
        self._row = 0.0  # Time of the current row's last element.
        self._columns = 0.0  # Time of its first column.
        self._width = 0
        self._source = 0
        self._scaled = 0.0  # Time at which the row's scales are offered.
        self._prepared = 0.0
        self._weighed = 0.0
        self._vector_words = 0
        self._rows = Rows(ends=(0.0,), block_rows=1, rows=1, pace=1.0)
        self._written = 0.0
        self._tape_command = 0.0
        self._taken = 1  # Cycles in which a row of the next linear is taken.
        self._queue = 0  # Rows of the next linear that wait behind the engine.
        self._head_words = 0
        self._listed = listed
        self._free: dict[str, float] = defaultdict(float)
        if config.grouped:
            self._dequantised = Dequantiser.GROUPED_LATENCY
            self._prepare = Dequantiser.GROUPED_PREPARE
        else:
            self._dequantised = Dequantiser.LATENCY
            self._prepare = PARTS * config.nodes + Dequantiser.PREPARE
        self._ends = 0.0

    def run(self) -> float:
        """Time the pass; return its cycles."""
        units = {
            "rows": self._load,
            "residual": self._residual,
            "norm": self._norm,
            "tape": self._tape,
            "engine": self._multiply,
            "dequantise": self._dequantise,
            "heads": self._cache,
            "attention": self._attend,
            "gate": self._gate,
            "head": self._sweep,
            "dump": self._dump,
        }
        for index, command in enumerate(self._program):
            handed = self._dispatch.handed(index)
            if command.name == "engine":
                self._taken, self._queue = self._pace(index)
            if command.name in units:
                units[command.name](command.fields, handed)
        end = max(self._dispatch.handed(len(self._program) - 1), self._ends + ENDED)
        self._mark("head", end)
        return end

    def _pace(self, index: int) -> tuple[int, int]:
        """Return the cycles a row of a linear takes, one that is written its granules'; and the
        rows that wait for it."""
        following = (
            command
            for command in self._program[index:]
            if command.name in ("residual", "gate", "heads", "head")
        )
        consumer = next(following)
        if consumer.name == "head":
            return consumer.fields["nodes"], self._config.head.ternary_rows
        written = consumer.name == "residual" and consumer.fields["target"] == DUMP
        return self._config.results.line_granules if written else 1, 0

    def _mark(self, part: str, time: float) -> None:
        self.parts[part] += max(0.0, time - self._marked)
        self._marked = max(self._marked, time)

    def _take(self, name: str, handed: float, ends: float) -> None:
        """Record that a unit takes a command after its previous one, and ends it at a time."""
        self._dispatch.done(name, max(handed, self._free[name]))
        self._free[name] = ends

    def _load(self, fields: Mapping[str, int], handed: float) -> None:
        self._dispatch.done("rows", self._loading.load(fields, handed))

    def _residual(self, fields: Mapping[str, int], handed: float) -> None:
        begins = max(handed, self._loading.ends)
        if fields["operation"] == REPLAY:
            begins = max(begins, self._row)
            self._mark("load", begins)
            self._row = begins + Residual.LATENCY + fields["width"]
        else:
            self._row = self._rows.last + self._dequantised + Residual.LATENCY
        self._take("residual", begins, self._row)

    def _norm(self, fields: Mapping[str, int], handed: float) -> None:
        """Time a row's quantisation; its columns go to the engine or to the head."""
        nodes, width = self._config.nodes, fields["width"]
        normed = bool(fields["normed"])
        self._vector(fields, normed)
        gap = Multiplier.LATENCY + 1 + RowUnit.LATENCY + nodes
        gap += Multiplier.LATENCY + RoundToInt8.LATENCY + 1
        self._columns, self._width, self._source = self._row + gap, width, fields["source"]
        squares = LaneSumOfSquares.latency(nodes) + -width % GATHERED
        scaled = self._row + (squares if normed else Multiplier.LATENCY + 1)
        scaled += RowScale.LATENCY + nodes + 1
        self._scaled = scaled
        self._prepared = max(scaled, self._weighed, handed) + self._prepare
        prepare = 0 if self._config.grouped else PARTS * nodes
        self._take("norm", handed, max(scaled + prepare, self._columns + width) + 1)

    def _vector(self, fields: Mapping[str, int], normed: bool) -> None:
        """Time a vector segment: the row waits for its gains."""
        channel, floats = self._memory.channels["vector"], self._config.word_bytes // 4
        begun = channel.left(self._vector_words) or 0.0
        end, word = self._vector_words + fields["words"], self._vector_words
        scalars = word + SCALARS // floats
        self._weighed = max(begun, self._memory.word("vector", word).begins) + SCALARS
        time, row = self._weighed, self._row
        while word < end:
            step = self._memory.word("vector", word)
            last = min(end, step.first + step.words)
            if word < scalars:
                last = min(last, scalars)
                channel.take(last, self._weighed)
            else:
                # Gains are not taken before their elements, which come evenly.
                early = row - (end - last) * floats
                time = max(time + (last - word) * floats, step.ends + floats, early)
                channel.take(last, time)
            word = last
        if normed:
            self._row = max(self._row, time)
        self._vector_words = end

    def _tape(self, fields: Mapping[str, int], handed: float) -> None:
        """Record a ``tape`` command, which only occupies its queue: its runs are already added."""
        if fields["target"] == ENGINE:
            self._tape_command = handed
        else:
            self._head_words = fields["words"]

    def _multiply(self, fields: Mapping[str, int], handed: float) -> None:
        self._rows = self._engine.play(
            fields,
            columns=self._width,
            begins=max(self._columns, handed),
            prepared=self._prepared,
            taken=self._taken,
            queue=self._queue,
        )
        issued = self._rows.last - self._config.tlmm.latency
        self._take("engine", handed, issued)
        self._take("tape", self._tape_command, issued)

    def _dequantise(self, fields: Mapping[str, int], handed: float) -> None:
        self._dispatch.done("dequantise", self._prepared)
        target = fields["target"]
        if target == TO_HEAD:
            return
        if target == ROTARY:
            part = "qkv"
        elif target == GATE:
            part = "gate_up"
        else:
            part = "o" if self._source == FROM_ATTENTION else "down"
        self._mark(part, self._rows.last)

    def _cache(self, fields: Mapping[str, int], handed: float) -> None:
        self._written = self._caching.write(fields, self._rows, self._dequantised)
        self._take("heads", handed, self._written)

    def _attend(self, fields: Mapping[str, int], handed: float) -> None:
        self._row = self._sweeps.attend(fields, self._written)
        self._take("attention", handed, self._row)
        self._mark("attention", self._row)

    def _gate(self, fields: Mapping[str, int], handed: float) -> None:
        last = self._rows.last + self._dequantised
        self._take("gate", handed, last + 1)
        self._row = last + Gate.LATENCY

    def _sweep(self, fields: Mapping[str, int], handed: float) -> None:
        if fields["two_stage"]:
            self._ends = self._head.list(
                fields,
                self._rows,
                delay=self._dequantised,
                scaled=self._scaled,
                before=self._engine.words,
                listed=self._listed,
            )
            return
        if fields["ternary"]:
            self._ends = self._head.play(
                fields, self._rows, delay=self._dequantised, scaled=self._scaled
            )
            return
        self._ends = self._head.sweep(
            fields,
            columns=self._width,
            begins=max(self._columns, handed),
            scaled=self._scaled,
            before=self._engine.words,
            words=self._head_words,
        )

    def _dump(self, fields: Mapping[str, int], handed: float) -> None:
        delay = self._row - self._rows.last
        first = max(handed, self._rows.row(0) + delay)
        self._ends = self._lines.write(fields["width"], first, max(first, self._row))
