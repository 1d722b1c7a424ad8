"""The dequantisation of a ternary linear's row sums to float32."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring

from tercel_hw.float32 import IntToFloat, Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.targets import send_to_target, targeted_row

__all__ = ["Dequantiser"]

SCALARS = 16
"""Floats at the start of a vector segment; the first are the scales of the linear's parts."""
PARTS = 3
TARGETS = 3


class Dequantiser(wiring.Component):
    """``float32(y) * (s * s_w)`` for each row of a linear and each lane.

    One row a cycle, latency 13. Before the first row, one multiplier computes the PARTS * K
    products of scales: the first row is taken at least ``PREPARE + PARTS * K`` cycles after the
    last of command, scales and (a cycle earlier) weights were offered. The weights of the next
    linear are taken during a linear, because the gains that follow them in memory are needed before
    it ends.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("dequantise")))
        One for each linear. Rows below ``second`` are part 0, rows below ``third`` part 1, others
        part 2; if ``interleaved``, even rows are part 0 and odd rows part 1. ``target`` is 0 to 2.
    i_weights : In(stream.Signature(ArrayLayout(32, 16)))
        The scalars of a vector segment, one for each linear.
    i_scales : In(stream.Signature(config.floats))
        The scale of each lane's activations, one for each linear.
    i : In(stream.Signature(StructLayout({"sums": nodes * signed(sum_bits), "last": 1})))
        Row sums from the TLMM engine.
    o : Out(stream.Signature(config.row)).array(3)
        Rows, to the command's target.
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY + ResultQueue.LATENCY
    PREPARE = Multiplier.LATENCY

    i_command: stream.Interface
    i_weights: stream.Interface
    i_scales: stream.Interface
    i: stream.Interface
    o: list[stream.Interface]

    def __init__(self, config: VectorConfig):
        self._config = config
        sums = data.ArrayLayout(signed(config.sum_bits), config.nodes)
        scalars = data.ArrayLayout(FLOAT32_BITS, SCALARS)
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("dequantise"))),
                "i_weights": wiring.In(stream.Signature(scalars)),
                "i_scales": wiring.In(stream.Signature(config.floats)),
                "i": wiring.In(stream.Signature(data.StructLayout({"sums": sums, "last": 1}))),
                "o": wiring.Out(stream.Signature(config.row)).array(TARGETS),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        command = Signal(command_layout("dequantise"), reset_less=True)
        row = Signal.like(command.second)
        prepared, taken = Signal(), Signal()
        m.submodules.queue = queue = ResultQueue(targeted_row(config, TARGETS), depth=16)
        send_to_target(m, queue.o, self.o)
        scales = self._scales(m, command, prepared)

        part = Signal(range(PARTS))
        m.d.comb += [
            self.i.ready.eq(prepared & queue.room),
            taken.eq(self.i.valid & self.i.ready),
            queue.enters.eq(taken),
            part.eq(
                Mux(
                    command.interleaved,
                    row[0],
                    (row >= command.second) + (row >= command.third),
                )
            ),
        ]
        with m.If(taken):
            m.d.sync += row.eq(Mux(self.i.payload.last, 0, row + 1))
            with m.If(self.i.payload.last):
                m.d.sync += prepared.eq(0)

        stages = Stages(m, FLOWS)
        m.d.comb += scales.addr.eq(stages.delay(part, IntToFloat.LATENCY, "part"))
        for lane in range(config.nodes):
            converter, product = IntToFloat(width=config.sum_bits), Multiplier()
            x = attach(m, f"float{lane}", converter, FLOWS, x=self.i.payload.sums[lane])
            y = attach(m, f"product{lane}", product, FLOWS, a=x, b=scales.data[lane])
            m.d.comb += queue.result.row.values[lane].eq(y)
        cycles = IntToFloat.LATENCY + Multiplier.LATENCY
        marks = stages.delay(Cat(self.i.payload.last, command.target), cycles, "marks")
        m.d.comb += [
            queue.arrives.eq(stages.delay(taken, cycles, "arrives", reset=True)),
            Cat(queue.result.row.last, queue.result.target).eq(marks),
        ]
        return m

    def _scales(self, m: Module, command: data.View, prepared: Signal) -> memory.ReadPort:
        """Add the memory of products of weight scales and lanes' scales; return its read port.

        The products are computed one after the other while a command, scales and weights wait.
        The first is written after the last read for the previous linear, because the multiplier
        takes longer than the conversion.
        """
        nodes = self._config.nodes
        m.submodules.scales = store = memory.Memory(
            shape=self._config.floats,
            depth=1 << (PARTS - 1).bit_length(),
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write = store.write_port(granularity=1)

        weights = Signal(data.ArrayLayout(FLOAT32_BITS, PARTS), reset_less=True)
        held, busy, offers, ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += self.i_weights.ready.eq(~held)
        with m.If(self.i_weights.valid & self.i_weights.ready):
            m.d.sync += [weights[part].eq(self.i_weights.payload[part]) for part in range(PARTS)]
            m.d.sync += held.eq(1)

        lane, part = Signal(range(nodes)), Signal(range(PARTS))
        last_lane = lane == nodes - 1
        m.d.comb += [
            offers.eq(held & self.i_scales.valid & self.i_command.valid & ~busy & ~prepared),
            ends.eq(offers & last_lane & (part == PARTS - 1)),
            self.i_scales.ready.eq(ends),
            self.i_command.ready.eq(ends),
        ]
        with m.If(offers):
            m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += part.eq(part + 1)
        with m.If(ends):
            m.d.sync += [part.eq(0), busy.eq(1), held.eq(0), command.eq(self.i_command.payload)]

        a, b = self.i_scales.payload[lane], weights[part]
        product = attach(m, "scale", Multiplier(), FLOWS, a=a, b=b)
        stages = Stages(m, FLOWS)
        cycles = Multiplier.LATENCY
        to_lane = stages.delay(lane, cycles, "to_lane")
        written = stages.delay(offers, cycles, "written", reset=True)
        m.d.comb += [
            write.addr.eq(stages.delay(part, cycles, "to_part")),
            write.en.eq(written << to_lane),
        ]
        m.d.comb += [write.data[index].eq(product) for index in range(nodes)]
        with m.If(stages.delay(ends, cycles, "complete", reset=True)):
            m.d.sync += [busy.eq(0), prepared.eq(1)]
        return store.read_port(domain="comb")
