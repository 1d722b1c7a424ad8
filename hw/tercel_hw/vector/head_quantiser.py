"""The quantisation of float32 heads to int8 queries, keys and values."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel_hw.float32 import MagnitudeMaximum, Multiplier, RoundToInt8, Stages, attach
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.memory import FifoConfig, StreamFifo
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.head_factors import HeadFactors
from tercel_hw.vector.head_norm import HeadNorm
from tercel_hw.vector.rotary import Rotary

__all__ = ["HeadQuantiser"]

BFLOAT16_BITS = 16
QUEUE_DEPTH = 16


class HeadQuantiser(wiring.Component):
    """``numerics.quantise`` of query heads, ``numerics.quantise_cache`` of key and value heads.

    The scales of normed query and key heads have the factors of their norm, see
    :class:`HeadNorm`; they cancel in the integers.

    A head's elements wait in a FIFO until its factors are computed from its largest magnitudes, in
    one pipeline for all lanes; then they are multiplied and rounded.

    Throughput: one element a cycle, heads back to back, one cycle between rows. Latency: a head's
    first column is offered ``latency`` cycles after its last element was taken, its scales at least
    14 cycles earlier. The columns of the next head, but not its own, wait until the scales are
    taken. The factors of a normed head come late: heads of less than 64 elements wait for theirs.

    Parameters
    ----------
    config
        Parameters of the vector unit.

    Members
    -------
    i_command : In(stream.Signature(command_layout("heads")))
        One for each row of heads; ``query_heads``, ``kv_heads`` and ``normed`` are used, the last
        only with ``qk_norm``.
    i : In(stream.Signature(config.row))
        The heads, at least 16 elements each, the cycles of a head's factors; ``last`` on each
        head's last.
    i_factors : In(stream.Signature(32))
        Factors of normed query and key heads, one for each lane. Only with ``qk_norm``.
    o_query, o_cache : Out(stream.Signature(config.column))
        Query heads; key and value heads. ``last`` on each head's last.
    o_query_scales : Out(stream.Signature(config.floats))
        One for each query head.
    o_cache_scales : Out(stream.Signature(ArrayLayout(16, config.nodes)))
        One for each key or value head, bfloat16.
    """

    i_command: stream.Interface
    i: stream.Interface
    i_factors: stream.Interface
    o_query: stream.Interface
    o_cache: stream.Interface
    o_query_scales: stream.Interface
    o_cache_scales: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        column = stream.Signature(config.column)
        bfloat16s = data.ArrayLayout(BFLOAT16_BITS, config.nodes)
        factors = {"i_factors": wiring.In(stream.Signature(FLOAT32_BITS))}
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("heads"))),
                "i": wiring.In(stream.Signature(config.row)),
                **(factors if config.qk_norm else {}),
                "o_query": wiring.Out(column),
                "o_cache": wiring.Out(column),
                "o_query_scales": wiring.Out(stream.Signature(config.floats)),
                "o_cache_scales": wiring.Out(stream.Signature(bfloat16s)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @property
    def latency(self) -> int:
        """Cycles from a head's last element to its first column, without stalls."""
        factors = 1 + HeadFactors.latency(self._config) + self._config.nodes + 1
        return factors + Multiplier.LATENCY + RoundToInt8.LATENCY + ResultQueue.LATENCY

    @property
    def lateness(self) -> int:
        """Cycles from the last element of a head of ``head_size`` to the last of its factors."""
        config = self._config
        if not config.qk_norm:
            return 0
        before = HeadNorm.LATENCY + config.head_size // 2 + Rotary.LATENCY
        return max(0, HeadNorm.factors_latency(config) + config.nodes - before)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        # A head, and the elements that arrive while its factors are computed.
        held = config.head_size + self.latency + self.lateness
        width = config.nodes * FLOAT32_BITS + 1
        m.submodules.fifo = fifo = StreamFifo(
            config=FifoConfig(width=width, depth=1 << (held - 1).bit_length())
        )
        m.submodules.factors = factors = HeadFactors(config)
        if config.qk_norm:
            wiring.connect(m, wiring.flipped(self.i_factors), factors.i_factors)
        self._take(m, fifo.i, factors.i)

        element = data.View(config.row, fifo.o.payload)
        units = Signal(config.floats, reset_less=True)
        scales = Signal(config.floats, reset_less=True)
        cache = Signal()
        playing, offering, taken, loads, enters, ends = (Signal() for _ in range(6))
        column = data.StructLayout({"column": config.column, "cache": 1})
        m.submodules.queue = queue = ResultQueue(column, depth=QUEUE_DEPTH)
        m.d.comb += [
            enters.eq(playing & fifo.o.valid & queue.room),
            fifo.o.ready.eq(playing & queue.room),
            ends.eq(enters & element.last),
            factors.o.ready.eq((~playing | ends) & ~offering),
            loads.eq(factors.o.valid & factors.o.ready),
        ]
        m.d.sync += playing.eq(loads | (playing & ~ends))
        with m.If(loads):
            m.d.sync += [
                units.eq(factors.o.payload.units),
                cache.eq(factors.o.payload.cache),
            ]
        # They stay while they are offered: with another enable than that of the units.
        with m.If(~offering):
            m.d.sync += scales.eq(factors.o.payload.scales)
        m.d.sync += offering.eq(loads | (offering & ~taken))
        m.d.comb += [
            taken.eq(Mux(cache, self.o_cache_scales.ready, self.o_query_scales.ready)),
            self.o_query_scales.valid.eq(offering & ~cache),
            self.o_query_scales.payload.eq(scales),
            self.o_cache_scales.valid.eq(offering & cache),
        ]
        for lane in range(config.nodes):
            m.d.comb += self.o_cache_scales.payload[lane].eq(scales[lane][-BFLOAT16_BITS:])

        stages = Stages(m, FLOWS)
        latency = Multiplier.LATENCY + RoundToInt8.LATENCY
        for lane in range(config.nodes):
            x, unit = element["values"][lane], units[lane]
            product = attach(m, f"product{lane}", Multiplier(), FLOWS, a=x, b=unit)
            rounded = attach(m, f"rounded{lane}", RoundToInt8(), FLOWS, x=product)
            m.d.comb += queue.result.column["values"][lane].eq(rounded)
        m.d.comb += [
            queue.enters.eq(enters),
            queue.arrives.eq(stages.delay(enters, latency, "enters", reset=True)),
            Cat(queue.result.column.last, queue.result.cache).eq(
                stages.delay(Cat(element.last, cache), latency, "mark")
            ),
            queue.o.ready.eq(Mux(queue.o.payload.cache, self.o_cache.ready, self.o_query.ready)),
            self.o_query.valid.eq(queue.o.valid & ~queue.o.payload.cache),
            self.o_cache.valid.eq(queue.o.valid & queue.o.payload.cache),
            self.o_query.payload.eq(queue.o.payload.column),
            self.o_cache.payload.eq(queue.o.payload.column),
        ]
        return m

    def _take(self, m: Module, fifo: stream.Interface, factors: stream.Interface) -> None:
        """Send the elements of the command's heads to the FIFO and to the maxima."""
        config, command = self._config, self.i_command.payload
        heads, queries = Signal(range(3 << 8)), Signal(range(1 << 8))
        taken, cache = Signal(), Signal()
        if config.qk_norm:
            self._count_normed(m, taken & self.i.payload.last, factors.payload.normed)
        m.d.comb += self.i_command.ready.eq(heads == 0)
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += [
                heads.eq(command.query_heads + (command.kv_heads << 1)),
                queries.eq(command.query_heads),
            ]
        with m.If(taken & self.i.payload.last):
            m.d.sync += [
                heads.eq(heads - 1),
                queries.eq(Mux(queries == 0, 0, queries - 1)),
                cache.eq(queries == 0),
            ]

        lanes = [MagnitudeMaximum(elements=1) for _ in range(config.nodes)]
        for lane, maximum in enumerate(lanes):
            m.submodules[f"maximum{lane}"] = maximum
            m.d.comb += [
                maximum.i.valid.eq(taken),
                maximum.i.payload.x[0].eq(self.i.payload["values"][lane]),
                maximum.i.payload.last.eq(self.i.payload.last),
                maximum.o.ready.eq(factors.ready),
                factors.payload.maxima[lane].eq(maximum.o.payload),
            ]
        # The lanes are in lockstep.
        m.d.comb += [
            self.i.ready.eq((heads != 0) & lanes[0].i.ready & fifo.ready),
            taken.eq(self.i.valid & self.i.ready),
            fifo.valid.eq(taken),
            fifo.payload.eq(self.i.payload),
            factors.valid.eq(lanes[0].o.valid),
            factors.payload.cache.eq(cache),
        ]

    def _count_normed(self, m: Module, ends: Value, normed: Value) -> None:
        """Set ``normed`` for the maxima of normed heads, which come a cycle after their end."""
        command, left = self.i_command.payload, Signal(range(2 << 8))
        with m.If(self.i_command.valid & self.i_command.ready):
            rotated = command.query_heads + command.kv_heads
            m.d.sync += left.eq(Mux(command.normed, rotated, 0))
        with m.If(ends):
            m.d.sync += [normed.eq(left != 0), left.eq(left - (left != 0))]
