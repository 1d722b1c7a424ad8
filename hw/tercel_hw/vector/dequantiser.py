"""The dequantisation of a ternary linear's row sums to float32."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring

from tercel.image.layout import SCALARS
from tercel_hw.float32 import IntToFloat, Multiplier, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.row_factors import PARTS, RowFactors, part_of
from tercel_hw.vector.targets import HEAD, send_to_target, targeted_row

__all__ = ["Dequantiser"]


class Dequantiser(wiring.Component):
    """``float32(y) * (s * s_w)`` for each row of a linear and each lane.

    One row a cycle, latency 13. Before the first row, one multiplier computes the PARTS * K
    products of scales: the first row is taken at least ``PREPARE + PARTS * K`` cycles after the
    last of command, scales and (a cycle earlier) weights were offered. The weights of the next
    linear are taken during a linear, because the gains that follow them in memory are needed before
    it ends.

    In an accelerator with groups, sums have up to 40 bits and a row may have a scale of its own
    (``row_scales``): `RowFactors` multiplies the scales of each row instead of that one multiplier.
    The latency is ``GROUPED_LATENCY`` = 15, and the first row is taken from ``GROUPED_PREPARE``
    cycles after the last of scales and (a cycle earlier) command and weights was offered.

    Parameters
    ----------
    config
        Parameters of the block.

    Members
    -------
    i_command : In(stream.Signature(command_layout("dequantise")))
        One for each linear. Rows below ``second`` are part 0, rows below ``third`` part 1, others
        part 2; if ``interleaved``, even rows are part 0 and odd rows part 1. ``target`` is 0 to 2.
        With groups also ``row_scales`` and target 3, the head: ``float32(y) * row_scale``.
    i_weights : In(stream.Signature(ArrayLayout(32, 16)))
        The scalars of a vector segment, one for each linear.
    i_scales : In(stream.Signature(config.floats))
        The scale of each lane's activations, one for each linear but those of target 3.
    i_row_scales : In(stream.Signature(32))
        Only with groups: one for each row of linears with ``row_scales``.
    i : In(stream.Signature(StructLayout({"sums": nodes * signed(sum_bits), "last": 1})))
        Row sums from the TLMM engine.
    o : Out(stream.Signature(config.row)).array(3), with groups of 4
        Rows, to the command's target.
    """

    LATENCY = IntToFloat.LATENCY + Multiplier.LATENCY + ResultQueue.LATENCY
    PREPARE = Multiplier.LATENCY
    GROUPED_LATENCY = RowFactors.LATENCY + Multiplier.LATENCY + ResultQueue.LATENCY
    GROUPED_PREPARE = RowFactors.PREPARE

    i_command: stream.Interface
    i_weights: stream.Interface
    i_scales: stream.Interface
    i_row_scales: stream.Interface
    i: stream.Interface
    o: list[stream.Interface]

    def __init__(self, config: VectorConfig):
        self._config = config
        sums = data.ArrayLayout(signed(config.sum_bits), config.nodes)
        scalars = data.ArrayLayout(FLOAT32_BITS, SCALARS)
        self._targets = HEAD + 1 if config.grouped else HEAD
        row_scales = {"i_row_scales": wiring.In(stream.Signature(FLOAT32_BITS))}
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("dequantise"))),
                "i_weights": wiring.In(stream.Signature(scalars)),
                "i_scales": wiring.In(stream.Signature(config.floats)),
                "i": wiring.In(stream.Signature(data.StructLayout({"sums": sums, "last": 1}))),
                "o": wiring.Out(stream.Signature(config.row)).array(self._targets),
                **(row_scales if config.grouped else {}),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        if config.grouped:
            self._connect_factors(m)
            return m
        command = Signal(command_layout("dequantise"), reset_less=True)
        row = Signal.like(command.second)
        prepared, taken = Signal(), Signal()
        queue = self._queue(m)
        scales = self._scales(m, command, prepared)

        part = Signal(range(PARTS))
        m.d.comb += [
            self.i.ready.eq(prepared & queue.room),
            taken.eq(self.i.valid & self.i.ready),
            queue.enters.eq(taken),
            part.eq(part_of(command, row)),
        ]
        with m.If(taken):
            m.d.sync += row.eq(Mux(self.i.payload.last, 0, row + 1))
            with m.If(self.i.payload.last):
                m.d.sync += prepared.eq(0)

        stages = Stages(m, FLOWS)
        m.d.comb += scales.addr.eq(stages.delay(part, IntToFloat.LATENCY, "part"))
        self._multiply(m, queue, taken, command.target, scales.data, cycles=IntToFloat.LATENCY)
        return m

    def _connect_factors(self, m: Module) -> None:
        """Multiply by the factors that `RowFactors` makes of each row's scale."""
        m.submodules.factors = factors = RowFactors(self._config)
        for name in ("i_command", "i_weights", "i_scales", "i_row_scales"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(factors, name))
        taken, queue = Signal(), self._queue(m)
        m.d.comb += [
            self.i.ready.eq(factors.ready & queue.room),
            taken.eq(self.i.valid & self.i.ready),
            queue.enters.eq(taken),
            factors.taken.eq(taken),
            factors.last.eq(self.i.payload.last),
        ]
        self._multiply(m, queue, taken, factors.target, factors.o, cycles=factors.LATENCY)

    def _queue(self, m: Module) -> ResultQueue:
        """Add the queue of results, and send them to their targets."""
        rows = targeted_row(self._config, self._targets)
        m.submodules.queue = queue = ResultQueue(rows, depth=16)
        send_to_target(m, queue.o, self.o)
        return queue

    def _multiply(
        self,
        m: Module,
        queue: ResultQueue,
        taken: Signal,
        target: Signal,
        factors: data.View,
        *,
        cycles: int,
    ) -> None:
        """Multiply each row's sums by its lanes' factors, which are there ``cycles`` later."""
        stages = Stages(m, FLOWS)
        for lane in range(self._config.nodes):
            converter, product = IntToFloat(width=self._config.sum_bits), Multiplier()
            x = attach(m, f"float{lane}", converter, FLOWS, x=self.i.payload.sums[lane])
            x = stages.delay(x, cycles - IntToFloat.LATENCY, f"float{lane}")
            y = attach(m, f"product{lane}", product, FLOWS, a=x, b=factors[lane])
            m.d.comb += queue.result.row.values[lane].eq(y)
        cycles += Multiplier.LATENCY
        marks = stages.delay(Cat(self.i.payload.last, target), cycles, "marks")
        m.d.comb += [
            queue.arrives.eq(stages.delay(taken, cycles, "arrives", reset=True)),
            Cat(queue.result.row.last, queue.result.target).eq(marks),
        ]

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
        held, busy, offers, ends, ended = (Signal() for _ in range(5))
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
            self.i_command.ready.eq(ended),
        ]
        # A cycle late, so that no path leads from the scales to the queue of commands.
        m.d.sync += ended.eq(ends)
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
