"""The query scales of a KV sweep, mapped to its lanes."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.head_slot_counter import HeadSlotCounter
from tercel_hw.attention.lanes import lane_of_node
from tercel_hw.float32 import Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.wrap_increment import wrap_increment

__all__ = ["QueryScales"]


class QueryScales(wiring.Component):
    """Multiplies query scales by a factor, a node a cycle; offers a sweep's as one value a lane.

    The scales of a sweep are offered ``LATENCY`` cycles after its last node's cycle.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_layer : In(stream.Signature(config.layer))
        Taken when the scales of the previous layer have been taken.
    factor : In(32)
        Float32; valid with ``i_layer``.
    i : In(stream.Signature(config.floats))
        For each query head, the scales of its nodes.
    o : Out(stream.Signature(config.floats))
        For each sweep, a scale per lane; undefined in lanes without a node.
    """

    LATENCY = 1 + Multiplier.LATENCY + 1

    i_layer: stream.Interface
    factor: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self._config = config
        super().__init__(
            {
                "i_layer": wiring.In(stream.Signature(config.layer)),
                "factor": wiring.In(FLOAT32_BITS),
                "i": wiring.In(stream.Signature(config.floats)),
                "o": wiring.Out(stream.Signature(config.floats)),
            }
        )

    @property
    def config(self) -> AttentionConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.heads = heads = HeadSlotCounter(config)
        layer = Signal(config.layer, reset_less=True)
        factor = Signal(FLOAT32_BITS, reset_less=True)
        running, starts, ends = Signal(), Signal(), Signal()
        # Sweeps that were started and whose scales have not been issued.
        kept = Signal(range(config.sweeps + 1))
        issued = Signal()
        node = Signal(range(config.nodes))
        taken, last_node = Signal(), Signal()
        m.d.comb += [
            self.i_layer.ready.eq(~running & (kept == 0)),
            starts.eq(self.i_layer.valid & self.i_layer.ready),
            heads.start.eq(starts),
            heads.layer.eq(Mux(starts, self.i_layer.payload, layer)),
            taken.eq(running & self.i.valid),
            last_node.eq(node + 1 == layer.nodes),
            self.i.ready.eq(running & last_node),
            heads.step.eq(taken & last_node),
            ends.eq(taken & last_node & heads.sweep_ends),
            issued.eq(self.o.valid & self.o.ready),
        ]
        with m.If(starts):
            m.d.sync += [layer.eq(self.i_layer.payload), factor.eq(self.factor), running.eq(1)]
        with m.If(taken):
            m.d.sync += node.eq(Mux(last_node, 0, node + 1))
            with m.If(last_node & heads.layer_ends):
                m.d.sync += running.eq(0)
        m.d.sync += kept.eq(kept + ends - issued)

        stages = Stages(m, Const(1))
        scales = Array(self.i.payload[index] for index in range(config.nodes))
        chosen = stages(scale=scales[node], factor=factor)
        product = attach(m, "scale", Multiplier(), Const(1), a=chosen.scale, b=chosen.factor)
        wait = self.LATENCY - 1
        self._keep(
            m,
            product,
            lane_of_node(
                layer.lanes_per_head,
                config.lanes_per_head_choices,
                stages.delay(heads.head_slot, wait, "head_slot"),
                stages.delay(node, wait, "node"),
                config.nodes,
            )
            & stages.delay(taken, wait, "taken", reset=True).replicate(config.nodes),
            stages.delay(ends, wait, "ends", reset=True),
            issued,
        )
        return m

    def _keep(self, m: Module, value: Value, lanes: Value, ends: Value, issued: Value) -> None:
        """Add the queue of sweeps, which is written lane by lane."""
        config = self._config
        into, out = Signal(range(config.sweeps)), Signal(range(config.sweeps))
        ready = Signal(range(config.sweeps + 1))
        with m.If(ends):
            m.d.sync += into.eq(wrap_increment(into, config.sweeps))
        with m.If(issued):
            m.d.sync += out.eq(wrap_increment(out, config.sweeps))
        m.d.sync += ready.eq(ready + ends - issued)
        m.d.comb += self.o.valid.eq(ready != 0)
        for lane in range(config.nodes):
            m.submodules[f"lane{lane}"] = store = memory.Memory(
                shape=FLOAT32_BITS,
                depth=config.sweeps,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            write, read = store.write_port(), store.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(into),
                write.data.eq(value),
                write.en.eq(lanes[lane]),
                read.addr.eq(out),
                self.o.payload[lane].eq(read.data),
            ]
