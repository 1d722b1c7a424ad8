"""The attention unit: all heads of a layer, from the cache in memory."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.cache_reader import CacheReader
from tercel_hw.attention.datapath import Attention, attention_overhead
from tercel_hw.attention.query_loader import QueryLoader
from tercel_hw.attention.query_scales import QueryScales
from tercel_hw.attention.scale_queue import ScaleQueue
from tercel_hw.attention.unit_config import MOST_NODES, AttentionUnitConfig
from tercel_hw.attention.word_sorter import WordSorter
from tercel_hw.shallow_fifo import ShallowFifo

__all__ = ["AttentionUnit"]

QUEUE_DEPTH = 4
"""Entries of the output queue, which cuts the path from the consumer's ready."""


class AttentionUnit(wiring.Component):
    """``numerics.attend`` on a cache in memory, one KV sweep after the other.

    Queries are written into the dense engine as they come. When the pass's own rows are in memory,
    the cache is read in the order of :class:`CacheReader`.

    Between layers the dense engine serves the model's head, which writes its vector, then a
    command, then rows.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(config.command))
        One for each layer. ``base + nodes`` at most the positions; ``sweeps`` times the slices of a
        head at most the dense engine's slices; the slices of a head at most its totals;
        ``head_size`` a multiple of 16.
    i_written : In(stream.Signature(unsigned(0)))
        The pass's own rows are in memory: one for each command, taken before its first run.
    i_query : In(stream.Signature(config.column))
        All query heads in order, taken after the command.
    i_query_scales : In(stream.Signature(config.attention.floats))
        One for each head, float32.
    o_run : Out(stream.Signature(config.run))
        Requested words.
    i_word : In(stream.Signature(8 * word_bytes))
        The requested words, in order.
    o : Out(stream.Signature(config.row))
        All heads in order, ``last`` on the last element of the last. Lanes without a node are zero.
    i_head_vector : In(stream.Signature(config.attention.dense.column))
        Elements of the head's input; taken while ``busy`` is low.
    i_head_command : In(stream.Signature(config.attention.head_command))
        After the last element of its vector, while ``busy`` is low.
    i_head_row : In(stream.Signature(config.attention.dense.beat))
        Taken after the command.
    o_head_sum : Out(stream.Signature(config.attention.dense.sums))
        One for each row.
    busy : Out(1)
        High from the transfer of a command to its last output.
    """

    i_command: stream.Interface
    i_written: stream.Interface
    i_query: stream.Interface
    i_query_scales: stream.Interface
    o_run: stream.Interface
    i_word: stream.Interface
    o: stream.Interface
    i_head_vector: stream.Interface
    i_head_command: stream.Interface
    i_head_row: stream.Interface
    o_head_sum: stream.Interface
    busy: Signal

    def __init__(self, config: AttentionUnitConfig):
        self._config = config
        attention = config.attention
        dense = attention.dense
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(config.command)),
                "i_written": wiring.In(stream.Signature(unsigned(0))),
                "i_query": wiring.In(stream.Signature(config.column)),
                "i_query_scales": wiring.In(stream.Signature(attention.floats)),
                "o_run": wiring.Out(stream.Signature(config.run)),
                "i_word": wiring.In(stream.Signature(unsigned(8 * config.word_bytes))),
                "o": wiring.Out(stream.Signature(config.row)),
                "i_head_vector": wiring.In(stream.Signature(dense.column)),
                "i_head_command": wiring.In(stream.Signature(attention.head_command)),
                "i_head_row": wiring.In(stream.Signature(dense.beat)),
                "o_head_sum": wiring.Out(stream.Signature(dense.sums)),
                "busy": wiring.Out(1),
            }
        )

    @property
    def config(self) -> AttentionUnitConfig:
        return self._config

    @property
    def overhead(self) -> int:
        """Least cycles between the last beat of the keys and the first of the values."""
        return attention_overhead(self._config.attention)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.attention = attention = Attention(config.attention)
        m.submodules.loader = loader = QueryLoader(config.attention)
        m.submodules.factors = factors = QueryScales(config.attention)
        m.submodules.reader = reader = CacheReader(config)
        m.submodules.sorter = sorter = WordSorter(config)
        m.submodules.scales = scales = ScaleQueue(config)
        wiring.connect(m, wiring.flipped(self.i_query), loader.i)
        wiring.connect(m, wiring.flipped(self.i_query_scales), factors.i)
        wiring.connect(m, factors.o, attention.i_query_scales)
        wiring.connect(m, wiring.flipped(self.i_written), reader.i_written)
        wiring.connect(m, reader.o_run, wiring.flipped(self.o_run))
        wiring.connect(m, reader.o_kind, sorter.i_kind)
        wiring.connect(m, wiring.flipped(self.i_word), sorter.i)
        wiring.connect(m, sorter.o_scales, scales.i)
        wiring.connect(m, sorter.o_rows, attention.i_word)
        wiring.connect(m, scales.o, attention.i_scales)
        self._lend(m, attention, loader)

        command = Signal(config.command, reset_less=True)
        layer = self._layer(m, command)
        consumers = [reader.i_command, attention.i_layer, loader.i_layer, factors.i_layer]
        waiting = Signal(len(consumers))
        for index, consumer in enumerate(consumers):
            m.d.comb += [
                consumer.valid.eq(waiting[index]),
                consumer.payload.eq(command if consumer is reader.i_command else layer),
            ]
            with m.If(consumer.ready):
                m.d.sync += waiting[index].eq(0)
        m.d.comb += [
            attention.tile.eq(config.tile),
            factors.factor.eq(command.factor),
            scales.positions.eq(command.base + command.nodes),
            self.i_command.ready.eq(~self.busy),
        ]
        ends = self._output(m, attention, command)
        with m.If(self.i_command.valid & ~self.busy):
            m.d.sync += [command.eq(self.i_command.payload), self.busy.eq(1), waiting.eq(~0)]
        with m.Elif(ends):
            m.d.sync += self.busy.eq(0)
        return m

    def _layer(self, m: Module, command) -> data.View:
        """Return the layer's command for the datapath and the loaders."""
        layer = Signal(self._config.attention.layer)
        for name in (
            "base",
            "nodes",
            "lanes_per_head",
            "heads",
            "head_slots",
            "sweeps",
            "full",
            "half",
        ):
            m.d.comb += layer[name].eq(command[name])
        m.d.comb += layer.elements.eq(command.head_size)
        for node in range(self._config.attention.nodes):
            m.d.comb += layer.ancestors[node].eq(command.ancestors.word_select(node, MOST_NODES))
        return layer

    def _output(self, m: Module, attention: Attention, command) -> Signal:
        """Queue the output; return a signal that is high when the layer's last element enters."""
        row = self._config.row
        m.submodules.queue = queue = ShallowFifo(row, depth=QUEUE_DEPTH)
        element, sweeps, last = Signal(row), Signal.like(command.sweeps), Signal()
        ends = Signal()
        taken = attention.o.valid & attention.o.ready
        m.d.comb += [
            last.eq(attention.o.payload.last & (sweeps + 1 == command.sweeps)),
            ends.eq(taken & last),
            element["values"].eq(attention.o.payload["values"]),
            element.last.eq(last),
            attention.o.ready.eq(queue.i.ready),
            queue.i.valid.eq(attention.o.valid),
            queue.i.payload.eq(element),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        with m.If(taken & attention.o.payload.last):
            m.d.sync += sweeps.eq(Mux(last, 0, sweeps + 1))
        return ends

    def _lend(self, m: Module, attention: Attention, loader: QueryLoader) -> None:
        """Connect the dense engine to the head; vectors of both pass through a register."""
        vector = attention.i_vector
        issued = self.i_head_vector.valid & self.i_head_vector.ready
        sweep, column = Signal(), Signal(vector.payload.shape(), reset_less=True)
        m.d.comb += [
            self.i_head_vector.ready.eq(~self.busy),
            attention.i_sweep.eq(sweep),
            vector.payload.eq(column),
        ]
        m.d.sync += [vector.valid.eq(loader.o.valid | issued), sweep.eq(loader.o_sweep)]
        with m.If(self.busy):
            m.d.sync += column.eq(loader.o.payload)
        with m.Else():
            m.d.sync += column.eq(self.i_head_vector.payload)
        wiring.connect(m, wiring.flipped(self.i_head_command), attention.i_head_command)
        wiring.connect(m, wiring.flipped(self.i_head_row), attention.i_head_row)
        wiring.connect(m, attention.o_head_sum, wiring.flipped(self.o_head_sum))
