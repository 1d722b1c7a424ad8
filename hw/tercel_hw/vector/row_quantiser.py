"""The quantisation of float32 rows to int8, with an optional norm."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring

from tercel_hw.float32 import (
    Lanes,
    LaneSumOfSquares,
    MagnitudeMaximum,
    Multiplier,
    RoundToInt8,
    Stages,
    attach,
)
from tercel_hw.float32.encoding import fields
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.result_queue import FLOWS, ResultQueue
from tercel_hw.vector.block_exponents import BlockExponents
from tercel_hw.vector.config import VectorConfig, command_layout
from tercel_hw.vector.row_counter import RowCounter
from tercel_hw.vector.row_scale import ONE, RowScale
from tercel_hw.vector.row_store import RowStore
from tercel_hw.vector.row_unit import RowUnit

__all__ = ["RowQuantiser"]

QUEUE_DEPTH = 32
"""Most columns in the block: more than a column's cycles from its read to the queue's end."""


class RowQuantiser(wiring.Component):
    """``numerics.norm_quantise`` or ``quantise`` of a row of K lanes, an element a cycle.

    The row, times its gains, is stored while its largest magnitudes and its sums of squares are
    computed. Then one pipeline computes the lanes' factors, and the row is read and multiplied by
    them in the same multipliers. The scales are computed in parallel.

    A row's first column is offered ``gap`` cycles after its last element was taken, one more each
    cycle; its scales ``scales_latency`` cycles after that element. The next command is taken when
    the columns have left the memory and the scales are computed. These wait in registers: the next
    row's scales, but not its columns, wait until they are taken.

    In an accelerator with groups rows may be in ``blocks``: ``numerics.norm_block_quantise`` or
    ``block_quantise``, in the same cycles. The elements that are read are multiplied by their
    block's power of two before they go into the multiplier: in their exponents, exactly.

    Parameters
    ----------
    config
        The shape; rows have at most ``columns`` elements.

    Members
    -------
    i_command : In(stream.Signature(command_layout("norm")))
        One for each row; ``normed``, ``inverse_width``, ``epsilon`` and, in an accelerator with
        groups, ``blocks`` are used.
    i : In(stream.Signature(config.row))
        ``last`` ends the row.
    i_gain : In(stream.Signature(32))
        One for each element of normed rows, none for others.
    o : Out(stream.Signature(config.shifted_column))
        The shifts are 0 in a row without blocks.
    o_scales : Out(stream.Signature(config.floats))
        Scales, one for each row.
    """

    i_command: stream.Interface
    i: stream.Interface
    i_gain: stream.Interface
    o: stream.Interface
    o_scales: stream.Interface

    def __init__(self, config: VectorConfig):
        self._config = config
        super().__init__(
            {
                "i_command": wiring.In(stream.Signature(command_layout("norm"))),
                "i": wiring.In(stream.Signature(config.row)),
                "i_gain": wiring.In(stream.Signature(FLOAT32_BITS)),
                "o": wiring.Out(stream.Signature(config.shifted_column)),
                "o_scales": wiring.Out(stream.Signature(config.floats)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @property
    def gap(self) -> int:
        """Cycles from a row's last element to its first column, if the queue is empty."""
        factors = Multiplier.LATENCY + 1 + RowUnit.LATENCY + self._config.nodes
        return factors + Multiplier.LATENCY + RoundToInt8.LATENCY + 1

    def scales_latency(self, *, normed: bool) -> int:
        """Return the cycles from a row's last element to its scales if the last ones were taken.

        A normed row whose width is no multiple of 16 takes a cycle more for each missing element.
        """
        squares = LaneSumOfSquares.latency(self._config.nodes)
        start = squares if normed else Multiplier.LATENCY + 1
        return start + RowScale.LATENCY + self._config.nodes + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        lanes, stages = config.nodes, Stages(m, FLOWS)
        command = Signal(command_layout("norm"), reset_less=True)
        gathering, playing, scaling, scaled = (Signal() for _ in range(4))
        m.d.comb += self.i_command.ready.eq(~playing & ~scaling)
        with m.If(self.i_command.valid & self.i_command.ready):
            m.d.sync += command.eq(self.i_command.payload)
            m.d.sync += [gathering.eq(1), playing.eq(1), scaling.eq(1)]
        with m.If(scaled):
            m.d.sync += scaling.eq(0)

        m.submodules.squares = squares = LaneSumOfSquares(lanes=lanes)
        m.submodules.store = store = RowStore(
            lanes=lanes, elements=config.columns, ram_style=config.ram_style
        )
        maxima = Signal(config.floats)
        gathered, replays = Signal(), Signal()
        units, begins = self._units(m, gathered, scaled, maxima)
        taken = self._take(m, gathering, command.normed, squares)

        # Elements times their gains when written, times the lanes' factors when read.
        gain = Mux(command.normed, self.i_gain.payload, ONE)
        a, b = Signal(config.floats), Signal(config.floats)
        again, exponents = store.o, None
        if config.grouped:
            exponents = BlockExponents(lanes=lanes, elements=config.columns)
            again = self._scale_blocks(m, exponents, command, begins, store, maxima)
        m.d.comb += a.eq(Mux(replays, again, self.i.payload.values))
        m.d.comb += [b[lane].eq(Mux(replays, units[lane], gain)) for lane in range(lanes)]
        multipliers = Lanes([Multiplier() for _ in range(lanes)])
        operands = {"a": a.as_value(), "b": b.as_value()}
        product = attach(m, "product", multipliers, FLOWS, **operands)
        m.d.comb += [
            store.i.eq(product),
            store.write.eq(stages.delay(taken, Multiplier.LATENCY, "write", reset=True)),
            store.last.eq(stages.delay(self.i.payload.last, Multiplier.LATENCY, "last")),
        ]
        for lane in range(lanes):
            m.submodules[f"maximum_{lane}"] = maximum = MagnitudeMaximum(elements=1)
            m.d.comb += [
                maximum.i.valid.eq(store.write),
                maximum.i.payload.x[0].eq(store.i[lane]),
                maximum.i.payload.last.eq(store.last),
                maxima[lane].eq(maximum.o.payload),
                maximum.o.ready.eq(scaled),
                gathered.eq(maximum.o.valid),
            ]
        shifts = None
        if exponents is not None:
            # The shift of a block is 7 less its exponent, of rows without blocks 0.
            shifts = ~exponents.o.as_value() & command.blocks.replicate(exponents.o.shape().size)
        ended = self._play(m, begins, store, replays, product, shifts)
        with m.If(ended):
            m.d.sync += playing.eq(0)
        if exponents is not None:
            m.d.comb += [exponents.reads.eq(replays), exponents.ends.eq(ended)]
        self._scale(m, command, gathered, maxima, squares, scaled)
        return m

    def _take(self, m: Module, gathering: Signal, normed: Value, squares) -> Value:
        """Join elements and gains; return a signal that is high if an element is taken."""
        taken = Signal()
        ready = ~normed | (self.i_gain.valid & squares.i.ready)
        m.d.comb += [
            self.i.ready.eq(gathering & ready),
            taken.eq(self.i.valid & self.i.ready),
            self.i_gain.ready.eq(taken & normed),
            squares.i.valid.eq(taken & normed),
            squares.i.payload.eq(self.i.payload),
        ]
        with m.If(taken & self.i.payload.last):
            m.d.sync += gathering.eq(0)
        return taken

    def _units(
        self, m: Module, gathered: Signal, scaled: Signal, maxima: data.View
    ) -> tuple[data.View, Value]:
        """Return the lanes' factors, and a signal that is high a cycle before reads may begin."""
        m.submodules.units = units = RowCounter(RowUnit(), lanes=self._config.nodes)
        begun = Signal()
        m.d.comb += [units.start.eq(gathered & ~begun), units.i.maximum.eq(maxima)]
        with m.If(units.start | scaled):
            m.d.sync += begun.eq(~scaled)
        ahead = units.latency - RowStore.READ_LATENCY - 1
        return units.o, Stages(m, FLOWS).delay(units.start, ahead, "begins", reset=True)

    def _scale_blocks(
        self,
        m: Module,
        exponents: BlockExponents,
        command: data.View,
        begins: Value,
        store: RowStore,
        maxima: data.View,
    ) -> Value:
        """Return the element that is read, times the lanes' powers of two of its block.

        The order of the two factors does not matter: a product is not larger than the row's
        largest, and one that is flushed would round to 0 in any case.
        """
        m.submodules.exponents = exponents
        m.d.comb += [
            exponents.write.eq(store.write),
            exponents.i.eq(store.i),
            exponents.last.eq(store.last),
            exponents.blocks.eq(command.blocks),
            exponents.maxima.eq(maxima),
            exponents.begins.eq(begins),
        ]
        multiplied = Signal(store.o.shape())
        m.d.comb += multiplied.eq(store.o)
        for lane in range(self._config.nodes):
            exponent = fields(store.o[lane]).exponent
            with m.If(exponent.any()):
                larger = exponent + exponents.o[lane]
                m.d.comb += fields(multiplied[lane]).exponent.eq(larger)
        return multiplied

    def _play(
        self,
        m: Module,
        begins: Value,
        store: RowStore,
        replays: Signal,
        product: Signal,
        shifts: Value | None,
    ) -> Value:
        """Read the row, round and queue the products; return a signal for the end of the reads."""
        stages = Stages(m, FLOWS)
        config = self._config
        m.submodules.queue = queue = ResultQueue(config.shifted_column, depth=QUEUE_DEPTH)
        reading = Signal()
        with m.If(begins):
            m.d.sync += reading.eq(1)
        with m.Elif(store.read & store.ends):
            m.d.sync += reading.eq(0)

        rounding = Lanes([RoundToInt8() for _ in range(config.nodes)])
        beside = Multiplier.LATENCY + RoundToInt8.LATENCY
        ends = stages.delay(store.ends, store.READ_LATENCY, "ends")
        m.d.comb += [
            store.read.eq(reading & queue.room),
            replays.eq(stages.delay(store.read, store.READ_LATENCY, "replays", reset=True)),
            queue.enters.eq(store.read),
            queue.arrives.eq(stages.delay(replays, beside, "arrives", reset=True)),
            queue.result.values.eq(attach(m, "rounding", rounding, FLOWS, x=product)),
            queue.result.last.eq(stages.delay(ends, beside, "last")),
        ]
        if shifts is not None:
            m.d.comb += queue.result["shifts"].eq(stages.delay(shifts, beside, "shifts"))
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return replays & ends

    def _scale(
        self, m: Module, command: data.View, gathered: Signal, maxima: data.View, squares, scaled
    ) -> None:
        """Compute the scales when the last ones have been taken."""
        shared = ("inverse_width", "epsilon", "normed")
        if self._config.grouped:
            shared += ("blocks",)
        m.submodules.scales = scales = RowCounter(
            RowScale(blocks=self._config.grouped), lanes=self._config.nodes, shared=shared
        )
        begun = Signal()
        complete = gathered & (squares.o.valid | ~command.normed)
        m.d.comb += [
            scales.start.eq(complete & ~begun & ~self.o_scales.valid),
            scales.i.maximum.eq(maxima),
            scales.i.squares.eq(squares.o.payload),
            *(scales.i[name].eq(command[name]) for name in shared),
            scaled.eq(scales.done),
            squares.o.ready.eq(scaled),
            self.o_scales.payload.eq(scales.o),
        ]
        with m.If(scales.start | scaled):
            m.d.sync += begun.eq(~scaled)
        with m.If(scaled):
            m.d.sync += self.o_scales.valid.eq(1)
        with m.Elif(self.o_scales.ready):
            m.d.sync += self.o_scales.valid.eq(0)
