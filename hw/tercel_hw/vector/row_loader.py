"""The loader of rows from memory words into other blocks' memories."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring

from tercel_hw.float32 import StreamPipeline
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import ResultQueue
from tercel_hw.shallow_fifo import ShallowFifo
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.element_value import INT8_BITS, ElementValue
from tercel_hw.vector.loads import element_layout, table_layout
from tercel_hw.vector.row_scale import ONE

__all__ = ["RowLoader"]

INTEGERS, FLOATS, TABLE, ZEROS = range(4)
FLOAT_BYTES = FLOAT32_BITS // 8


class RowLoader(wiring.Component):
    """Writes embedding rows to the residual stream, and cosines and sines to the rotary unit.

    Throughput: one element a cycle, from word to word without a gap; the first word of an int8 row
    follows its scale's by a cycle. Latency from a word to its first element: ``LATENCY``; two words
    that come early wait in a queue. Without words zeros come a cycle earlier. The next command is
    taken two cycles after the last element has left. No path leads through the block from stream
    to stream.

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

    LATENCY = ShallowFifo.LATENCY + ElementValue.LATENCY + ResultQueue.LATENCY

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
        busy, started, finished = (Signal() for _ in range(3))
        integers, zeros = Signal(), Signal()
        # Words and elements not yet taken; whether there are any is known from registers.
        words, left = Signal(len(command.words) + 1), Signal.like(command.elements)
        more, some = Signal(), Signal()
        scale, scaling = Signal(FLOAT32_BITS, reset_less=True), Signal()
        kind = self.i_command.payload.kind
        m.d.comb += [
            self.i_command.ready.eq(~busy),
            started.eq(self.i_command.valid & ~busy),
            self.o_idle.eq(~busy & ~self.i_command.valid),
            integers.eq(command.kind == INTEGERS),
            zeros.eq(command.kind == ZEROS),
        ]

        # An element a cycle is selected from the first word that waits, or the scale.
        m.submodules.queue = queue = ShallowFifo(unsigned(config.word), depth=2)
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        place = Signal(range(config.word_bytes))
        number = Mux(scaling, command.scale_index, place // FLOAT_BYTES)
        value = queue.o.payload.word_select(
            number[: (config.word_floats - 1).bit_length()], FLOAT32_BITS
        )
        byte = value.word_select(place % FLOAT_BYTES, INT8_BITS)
        next_place = place + Mux(integers, 1, FLOAT_BYTES)
        waits, playing, entered, ends = (Signal() for _ in range(4))
        m.submodules.values = values = StreamPipeline(ElementValue())
        m.d.comb += [
            waits.eq(queue.o.valid & more),
            playing.eq(some & ~scaling & (waits | zeros)),
            values.i.valid.eq(playing),
            values.i.payload.bits.eq(Mux(integers, byte, value)),
            values.i.payload.integer.eq(integers),
            values.i.payload.scale.eq(scale),
            entered.eq(playing & values.i.ready),
            ends.eq(next_place == config.word_bytes),
            # Words behind the last element are dropped.
            queue.o.ready.eq(more & ((entered & ends) | scaling | ~some)),
        ]
        with m.If(entered):
            m.d.sync += [left.eq(left - 1), some.eq(left != 1), place.eq(next_place)]
        with m.If(scaling & waits):
            m.d.sync += [scale.eq(value), scaling.eq(0)]
        with m.If(queue.o.valid & queue.o.ready):
            m.d.sync += [words.eq(words - 1), more.eq(words != 1), place.eq(0)]

        offered = self.i_command.payload
        with m.If(started):
            m.d.sync += [
                command.eq(offered),
                busy.eq(1),
                scaling.eq(kind == INTEGERS),
                words.eq(offered.words + (kind == INTEGERS)),
                more.eq((offered.words != 0) | (kind == INTEGERS)),
                left.eq(offered.elements),
                some.eq(offered.elements != 0),
                place.eq(0),
                scale.eq(ONE),
            ]
        self._send(m, command, started, values.o, finished)
        with m.If(busy & finished & ~more):
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
