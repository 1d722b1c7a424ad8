"""The dense engine."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.fifo import SyncFIFO

from tercel_hw.dense.accumulator_column import AccumulatorColumn
from tercel_hw.dense.config import DenseConfig
from tercel_hw.dense.dot_reducer import DotReducer, reducer_latency
from tercel_hw.dense.multiplier_column import MultiplierColumn
from tercel_hw.dense.sequencer import Sequencer
from tercel_hw.dense.total_reader import TotalReader
from tercel_hw.float32.stages import Stages

__all__ = ["DenseEngine", "dense_latency"]

QUEUE_DEPTH = 16
"""Dot sums between issue and output; above the latency, so that one-beat rows flow freely."""
MULTIPLIED = 1 + MultiplierColumn.LATENCY
"""Cycles from issue to products."""


def dense_latency(config: DenseConfig) -> int:
    """Cycles from a row's last beat to its sums: 7 for 64 bytes a beat, 8 if packed."""
    return MULTIPLIED + reducer_latency(config) + 1


class DenseEngine(wiring.Component):
    """Streams int8 rows past K int8 vectors (dot) or K weights a row (axpy); all sums are exact.

    A row comes as ``ceil(elements / macs)`` beats, starting on a beat. The bytes beyond its
    elements are ignored by axpy; in dot mode they meet whatever the vector's beat has there, so
    one of both must be zero. For each row, dot gives K sums a turn; axpy gives
    ``sum_row weight[turn][lane] * row[element]`` after the walk, while the next dot walk may run.

    Throughput: dot, ``turns`` cycles a beat; axpy, ``turns * halves`` cycles a beat and at least 2
    a row; between two walks one cycle for the command. With a row's last beat taken in cycle 0, its
    last sums are offered in cycle ``latency``; with a walk's last beat taken in cycle 0, totals are
    offered from cycle ``TOTALS_LATENCY`` on, an element of one set of lanes a cycle. The pipeline
    has no stall: a row's last beat waits until the output queue has room.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    i_vector : In(stream.Signature(config.vector))
        Writes a byte of every lane's vector, always ready; not while a dot walk reads that address.
    i_command : In(stream.Signature(config.command))
        ``elements``, ``rows`` and ``turns`` at least 1 and within the capacities; axpy: at most
        4128 rows, for which the totals are exact.
    i_row : In(stream.Signature(config.beat))
    i_weight : In(stream.Signature(config.weights))
        Axpy: one for each row and turn.
    o_sum : Out(stream.Signature(config.sums))
        Dot: one for each row and turn.
    o_total : Out(stream.Signature(config.totals))
        Axpy: sets in order (turn, half), each with all elements in order. Half h is lanes
        ``h * columns`` on.
    """

    TOTALS_LATENCY = MULTIPLIED + 3

    i_vector: stream.Interface
    i_command: stream.Interface
    i_row: stream.Interface
    i_weight: stream.Interface
    o_sum: stream.Interface
    o_total: stream.Interface

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "i_vector": wiring.In(stream.Signature(config.vector)),
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_row": wiring.In(stream.Signature(config.beat)),
                "i_weight": wiring.In(stream.Signature(config.weights)),
                "o_sum": wiring.Out(stream.Signature(config.sums)),
                "o_total": wiring.Out(stream.Signature(config.totals)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    @property
    def latency(self) -> int:
        return dense_latency(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(self._config)
        for port in "i_command", "i_row", "i_weight":
            inner, outer = getattr(sequencer, port), getattr(self, port)
            wiring.connect(m, inner, wiring.flipped(outer))

        stages = Stages(m, Const(1))
        columns = self._multipliers(m, stages, sequencer.o.payload)
        issued = sequencer.o.payload
        # Valid bits, unlike data, start from reset.
        added = MULTIPLIED + reducer_latency(self._config)
        valid = Signal(added + 1)
        m.d.comb += valid[0].eq(sequencer.o.valid)
        m.d.sync += valid[1:].eq(valid)
        self._axpy(
            m,
            sequencer,
            columns,
            valid=valid[MULTIPLIED],
            axpy=stages.delay(issued.axpy, MULTIPLIED, "axpy"),
            last=stages.delay(issued.last, MULTIPLIED, "axpy_last"),
            slot=stages.delay(issued.slot, MULTIPLIED, "axpy_slot"),
        )
        self._dot(
            m,
            sequencer,
            columns,
            valid=valid[added] & ~stages.delay(issued.axpy, added, "dot_axpy"),
            first=stages.delay(issued.first, added, "dot_first"),
            last=stages.delay(issued.last, added, "dot_last"),
            turn=stages.delay(issued.turn, added, "dot_turn"),
        )
        return m

    def _multipliers(self, m: Module, stages: Stages, issued) -> list[MultiplierColumn]:
        """Columns with their operands; a memory of all lanes' vectors for each byte of a beat."""
        config = self._config
        step = stages(row=issued.row, weights=issued.weights, axpy=issued.axpy)
        weights = [step.weights.word_select(c, 17) for c in range(config.columns)]
        columns = []
        for index in range(config.columns):
            m.submodules[f"multipliers{index}"] = column = MultiplierColumn(config)
            m.d.comb += [
                column.row.eq(step.row),
                column.weight.eq(weights[index]),
                column.axpy.eq(step.axpy),
            ]
            columns.append(column)
        element = self.i_vector.payload
        m.d.comb += self.i_vector.ready.eq(1)
        for byte in range(config.macs):
            store = memory.Memory(
                shape=element["values"].shape(), depth=config.vector_beats, init=[]
            )
            m.submodules[f"vectors{byte}"] = store
            write, read = store.write_port(), store.read_port()
            m.d.comb += [
                write.addr.eq(element.address),
                write.data.eq(element["values"]),
                write.en.eq(self.i_vector.valid & (element.byte == byte)),
                read.addr.eq(issued.slot),
            ]
            for lane in range(config.nodes):
                half, column = divmod(lane, config.columns)
                m.d.comb += columns[column].vectors[half][byte].eq(read.data[lane])
        return columns

    def _axpy(self, m, sequencer, multipliers, *, valid, axpy, last, slot) -> None:
        """Add products to the sums; read these out after the walk."""
        config = self._config
        m.submodules.reader = reader = TotalReader(config)
        command, payload = self.i_command.payload, self.o_total.payload
        started = self.i_command.valid & self.i_command.ready & command.axpy
        adds, ended = Signal(), Signal()
        m.d.sync += ended.eq(adds & last)
        m.d.comb += [
            adds.eq(valid & axpy),
            reader.start.eq(started),
            reader.elements.eq(command.elements),
            reader.turns.eq(command.turns),
            reader.go.eq(ended),
            reader.step.eq(~self.o_total.valid | self.o_total.ready),
            sequencer.free.eq(reader.free),
        ]
        with m.If(reader.step):
            m.d.sync += [
                self.o_total.valid.eq(reader.valid),
                payload.set.eq(reader.set),
                payload.last.eq(reader.last),
            ]
        for index, column in enumerate(multipliers):
            m.submodules[f"sums{index}"] = sums = AccumulatorColumn(config)
            m.d.comb += [
                sums.products.eq(column.o),
                sums.valid.eq(adds),
                sums.clear.eq(reader.clear),
                sums.slot.eq(Mux(reader.busy, reader.slot, slot)),
                sums.index.eq(reader.index),
            ]
            with m.If(reader.step):
                m.d.sync += payload.sums[index].eq(sums.o)

    def _dot(self, m, sequencer, multipliers, *, valid, first, last, turn) -> None:
        """Add the beats of a row; queue the sums."""
        config = self._config
        m.submodules.queue = queue = SyncFIFO(width=config.sums.size, depth=QUEUE_DEPTH)
        partial = Array(
            Signal(config.sums, name=f"partial{index}", reset_less=True)
            for index in range(config.turns)
        )
        sums = Signal(config.sums)
        for index, column in enumerate(multipliers):
            m.submodules[f"reducer{index}"] = reducer = DotReducer(config)
            m.d.comb += reducer.products.eq(column.o)
            for half in range(config.halves):
                lane = half * config.columns + index
                before = Mux(first, 0, partial[turn][lane])
                m.d.comb += sums[lane].eq(reducer.o[half] + before)
        with m.If(valid):
            m.d.sync += partial[turn].eq(sums)

        issued = sequencer.o.payload
        reserves = sequencer.o.valid & issued.last & ~issued.axpy
        taken = self.o_sum.valid & self.o_sum.ready
        reserved = Signal(range(QUEUE_DEPTH + 1))
        m.d.sync += reserved.eq(reserved + reserves - taken)
        m.d.comb += [
            sequencer.room.eq(reserved != QUEUE_DEPTH),
            queue.w_data.eq(sums),
            queue.w_en.eq(valid & last),
            self.o_sum.valid.eq(queue.r_rdy),
            self.o_sum.payload.eq(queue.r_data),
            queue.r_en.eq(taken),
        ]
