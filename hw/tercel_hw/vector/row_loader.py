"""The loader of rows from memory words into other blocks' memories."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.float32 import StreamPipeline
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.element_value import INT8_BITS, ElementValue
from tercel_hw.vector.loads import element_layout, table_layout
from tercel_hw.vector.row_scale import ONE

__all__ = ["RowLoader"]

INTEGERS, FLOATS, TABLE, ZEROS = range(4)


class RowLoader(wiring.Component):
    """Writes embedding rows to the residual stream, and cosines and sines to the rotary unit.

    Throughput: one element a cycle, from word to word without a gap; the first word of an int8 row
    is taken ``scale_index + 1`` cycles after its scale's word. Latency from a word to its first
    element: ``LATENCY``. The next command is taken two cycles after the last element has left.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    i_command : In(stream.Signature(command_layout("rows")))
        ``kind`` 0: int8 elements times their row's scale, float number ``scale_index`` of a word
        of its own. 1: floats. 2: cosines, then as many sines. 3: zeros for all lanes, no words.
        The ``words`` hold at least the ``elements``; the rest of them is dropped. The addresses are
        used by :class:`~tercel_hw.top.row_fetch.RowFetch`.
    i : In(stream.Signature(config.word))
        The words of all commands, the scale's before the row's; byte 0 lowest.
    o_element : Out(stream.Signature(element_layout(config)))
    o_table : Out(stream.Signature(table_layout(config)))
    o_idle : Out(1)
        No command is in progress or offered.
    """

    LATENCY = 1 + ElementValue.LATENCY + ResultQueue.LATENCY

    i_command: stream.Interface
    i: stream.Interface
    o_element: stream.Interface
    o_table: stream.Interface
    o_idle: Signal

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("rows"))),
                "i": wiring.In(stream.Signature(unsigned(config.word))),
                "o_element": wiring.Out(stream.Signature(element_layout(config))),
                "o_table": wiring.Out(stream.Signature(table_layout(config))),
                "o_idle": wiring.Out(1),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        command = Signal(command_layout("rows"), reset_less=True)
        busy, finished = Signal(), Signal()
        integers, zeros = Signal(), Signal()
        # Words and elements not yet taken; elements left of the current word.
        words, left = Signal(len(command.words) + 1), Signal.like(command.elements)
        held = Signal(range(config.word_bytes + 1))
        scale, scaling = Signal(FLOAT32_BITS, reset_less=True), Signal()
        m.submodules.values = values = StreamPipeline(ElementValue())

        started = Signal()
        kind = self.i_command.payload.kind
        m.d.comb += [
            self.i_command.ready.eq(~busy),
            started.eq(self.i_command.valid & ~busy),
            self.o_idle.eq(~busy & ~self.i_command.valid),
            integers.eq(command.kind == INTEGERS),
            zeros.eq(command.kind == ZEROS),
        ]

        # A word shifts right by an element a cycle; the scale's word by floats, up to the scale.
        word = Signal(config.word, reset_less=True)
        taken, entered, moved = Signal(), Signal(), Signal()
        playing, last_held = Signal(), Signal()
        m.d.comb += [
            playing.eq((left != 0) & ~scaling & ((held != 0) | zeros)),
            values.i.valid.eq(playing),
            values.i.payload.bits.eq(word[:FLOAT32_BITS]),
            values.i.payload.integer.eq(integers),
            values.i.payload.scale.eq(scale),
            entered.eq(playing & values.i.ready),
            moved.eq(entered | (scaling & (held != 0))),
            last_held.eq((held == 0) | ((held == 1) & moved) | ((left == 0) & ~scaling)),
            self.i.ready.eq((words != 0) & last_held),
            taken.eq(self.i.valid & self.i.ready),
        ]
        in_word = Mux(integers, config.word_bytes, config.word_floats)
        with m.If(taken):
            m.d.sync += [
                word.eq(self.i.payload),
                held.eq(Mux(scaling & (held == 0), command.scale_index + 1, in_word)),
                words.eq(words - 1),
            ]
        with m.Elif(moved):
            m.d.sync += word.eq(Mux(integers & ~scaling, word >> INT8_BITS, word >> FLOAT32_BITS))
            with m.If(held != 0):
                m.d.sync += held.eq(held - 1)
        with m.If(scaling & (held == 1)):
            m.d.sync += [scale.eq(word[:FLOAT32_BITS]), scaling.eq(0)]
        with m.If(entered):
            m.d.sync += left.eq(left - 1)

        with m.If(started):
            m.d.sync += [
                command.eq(self.i_command.payload),
                busy.eq(1),
                scaling.eq(kind == INTEGERS),
                words.eq(self.i_command.payload.words + (kind == INTEGERS)),
                left.eq(self.i_command.payload.elements),
                held.eq(0),
                scale.eq(ONE),
            ]
        self._send(m, command, started, values.o, finished)
        with m.If(busy & finished & (words == 0)):
            m.d.sync += busy.eq(0)
        return m

    def _send(self, m: Module, command, started, values: stream.Interface, finished) -> None:
        """Number the values and send them to their target; ``finished`` is high at the end."""
        element, table = self.o_element.payload, self.o_table.payload
        sent, index = Signal.like(command.elements), Signal.like(command.elements)
        sines, for_table, leaves = Signal(), Signal(), Signal()
        m.d.comb += [
            for_table.eq(command.kind == TABLE),
            values.ready.eq(Mux(for_table, self.o_table.ready, self.o_element.ready)),
            leaves.eq(values.valid & values.ready),
            finished.eq(sent == command.elements),
            self.o_element.valid.eq(values.valid & ~for_table),
            element.lane.eq(command.lane),
            element.address.eq(sent),
            element.value.eq(values.payload.value),
            element.zero.eq(command.kind == ZEROS),
            self.o_table.valid.eq(values.valid & for_table),
            table.lane.eq(command.lane),
            table.index.eq(index),
            table.sine.eq(sines),
            table.value.eq(values.payload.value),
        ]
        with m.If(started):
            m.d.sync += [sent.eq(0), index.eq(0), sines.eq(0)]
        with m.Elif(leaves):
            m.d.sync += [sent.eq(sent + 1), index.eq(index + 1)]
            with m.If(index + 1 == command.elements >> 1):
                m.d.sync += [index.eq(0), sines.eq(1)]
