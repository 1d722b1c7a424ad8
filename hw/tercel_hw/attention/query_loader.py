"""The loader of a layer's queries into the dense engine."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.head_slot_counter import HeadSlotCounter
from tercel_hw.attention.lanes import lanes_of_head_slot, node_of_lanes

__all__ = ["QueryLoader", "query_column"]


def query_column(config: AttentionConfig) -> data.StructLayout:
    """Layout of a query element of each node; ``last`` with its head's last."""
    values = config.dense.column.members["values"]
    return data.StructLayout({"values": values, "last": 1})


class QueryLoader(wiring.Component):
    """Writes queries as vectors of the dense engine, a column a cycle.

    The vectors of sweep w begin at slice ``w * (full + half)``; a cycle each is spent on the zeros
    beyond the head size.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_layer : In(stream.Signature(config.layer))
        Taken when all queries of the previous layer have been written.
    i : In(stream.Signature(query_column(config)))
        All query heads in order.
    o : Out(stream.Signature(config.dense.column))
        Writes for the dense engine; ``ready`` is ignored.
    o_sweep : Out(1)
        A pulse: the vectors of another sweep have been written.
    """

    i_layer: stream.Interface
    i: stream.Interface
    o: stream.Interface
    o_sweep: Signal

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "i_layer": wiring.In(stream.Signature(config.layer)),
                "i": wiring.In(stream.Signature(query_column(config))),
                "o": wiring.Out(stream.Signature(config.dense.column)),
                "o_sweep": wiring.Out(1),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, dense = self._config, self._config.dense
        m.submodules.heads = heads = HeadSlotCounter(config)
        layer = Signal(config.layer, reset_less=True)
        running, starts, filling = Signal(), Signal(), Signal()
        first, number = Signal(range(dense.slices)), Signal.like(layer.full)
        index = Signal(range(dense.macs))
        half, written, slice_ends, head_ends = Signal(), Signal(), Signal(), Signal()
        rows = [self.i.payload["values"][node] for node in range(config.nodes)]
        column = self.o.payload
        m.d.comb += [
            self.i_layer.ready.eq(~running),
            starts.eq(self.i_layer.valid & ~running),
            heads.start.eq(starts),
            heads.layer.eq(Mux(starts, self.i_layer.payload, layer)),
            written.eq(running & (self.i.valid | filling)),
            self.i.ready.eq(running & ~filling),
            half.eq(number == layer.full),
            slice_ends.eq(Mux(half, index == dense.macs // 2 - 1, index.all())),
            head_ends.eq(written & slice_ends & (filling | self.i.payload.last)),
            heads.step.eq(head_ends),
            self.o_sweep.eq(head_ends & heads.sweep_ends),
            self.o.valid.eq(written),
            column.slice.eq(first + number),
            column.index.eq(index),
            column.half.eq(half),
            column.lanes.eq(
                lanes_of_head_slot(
                    layer.lanes_per_head,
                    config.lanes_per_head_choices,
                    heads.head_slot,
                    layer.nodes,
                    config.nodes,
                )
            ),
        ]
        for lane, value in enumerate(
            node_of_lanes(layer.lanes_per_head, config.lanes_per_head_choices, rows)
        ):
            m.d.comb += column["values"][lane].eq(Mux(filling, 0, value))
        with m.If(starts):
            m.d.sync += [layer.eq(self.i_layer.payload), running.eq(1)]
            m.d.sync += [first.eq(0), number.eq(0), index.eq(0)]
        with m.If(written):
            m.d.sync += index.eq(Mux(slice_ends, 0, index + 1))
            with m.If(slice_ends):
                m.d.sync += number.eq(number + 1)
            with m.If(self.i.payload.last & ~filling & ~slice_ends):
                m.d.sync += filling.eq(1)
            with m.If(head_ends):
                m.d.sync += [filling.eq(0), number.eq(0)]
                with m.If(heads.sweep_ends):
                    m.d.sync += first.eq(first + layer.full + layer.half)
                with m.If(heads.layer_ends):
                    m.d.sync += running.eq(0)
        return m
