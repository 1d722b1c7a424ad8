"""The accumulator of eight partial sums per lane with a single adder."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring

from tercel.numerics.quantise import ACCUMULATORS
from tercel_hw.float32.adder import Adder
from tercel_hw.float32.lane_pair_sum import lane_term
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.stages import Stages

__all__ = ["LaneAccumulator"]

SLOT_BITS = (ACCUMULATORS - 1).bit_length()
LEVELS = SLOT_BITS
"""Levels of the tree over a lane's partial sums."""
PATH = 1 + Adder.LATENCY
"""Cycles from the operands' read to the sum's write."""


class LaneAccumulator(wiring.Component):
    """Adds each lane's terms to 8 partial sums in turn, and these by a binary tree at a row's end.

    Terms are not negative. They come one lane after the other, the same lane's at least 16 cycles
    apart. One adder and a small memory of sums serve both: no term may come from a row's last term
    until its result is taken.

    Parameters
    ----------
    lanes
        Number of lanes.

    Members
    -------
    i : In(lane_term(1))
        Terms; the tag marks the row's last ones.
    o : Out(stream.Signature(ArrayLayout(32, lanes)))
        Sums of all lanes, one for each row.
    """

    i: data.View
    o: stream.Interface

    def __init__(self, *, lanes: int):
        self._lanes = lanes
        floats = data.ArrayLayout(FLOAT32_BITS, lanes)
        super().__init__({"i": wiring.In(lane_term(1)), "o": wiring.Out(stream.Signature(floats))})

    @staticmethod
    def latency(lanes: int) -> int:
        """Cycles from a row's last term to its result."""
        return (ACCUMULATORS - 1) * lanes + (LEVELS + 1) * PATH + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, Const(1))
        place = Signal(data.StructLayout({"slot": SLOT_BITS, "lane": range(self._lanes)}))
        level = Signal(range(LEVELS + 1))
        adding, settling, last_lane, ends = (Signal() for _ in range(4))
        issued = self.i.present | adding
        # Level 0 adds the row's terms; level 1 adds 4 pairs of each lane, then 2, then 1.
        last_pair = (Const(ACCUMULATORS - 1) >> level)[:SLOT_BITS]
        m.d.comb += [
            last_lane.eq(place.lane == self._lanes - 1),
            ends.eq(last_lane & Mux(adding, place.slot == last_pair, self.i.tag)),
        ]
        with m.If(issued):
            m.d.sync += place.lane.eq(Mux(last_lane, 0, place.lane + 1))
            with m.If(last_lane):
                m.d.sync += place.slot.eq(Mux(ends, 0, place.slot + 1))
            with m.If(ends):
                m.d.sync += [settling.eq(1), adding.eq(0)]

        m.submodules.sums = sums = memory.Memory(
            shape=FLOAT32_BITS,
            depth=ACCUMULATORS * self._lanes,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        operands = stages(**self._operands(m, sums, place, adding, level))
        total = attach(
            m, "adder", Adder(magnitudes=True), Const(1), a=operands.left, b=operands.right
        )

        under_way = Signal(PATH)
        into = data.View(place.shape(), stages.delay(place.as_value(), PATH, "into"))
        write = sums.write_port()
        m.d.sync += under_way.eq(Cat(issued, under_way))
        m.d.comb += [
            write.en.eq(under_way[-1]),
            write.addr.eq(into.as_value()),
            write.data.eq(total),
        ]
        result = Signal(self.o.payload.shape(), reset_less=True)
        m.d.comb += self.o.payload.eq(result)
        for lane in range(self._lanes):
            with m.If(under_way[-1] & (into.lane == lane)):
                m.d.sync += result[lane].eq(total)

        # High in the cycle in which the last sum of a level is written.
        with m.If(settling & ~under_way[:-1].any()):
            m.d.sync += settling.eq(0)
            with m.If(level == LEVELS):
                m.d.sync += [level.eq(0), self.o.valid.eq(1)]
            with m.Else():
                m.d.sync += [level.eq(level + 1), adding.eq(1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m

    def _operands(
        self, m: Module, sums: memory.Memory, place: data.View, adding: Signal, level: Signal
    ) -> dict[str, Value]:
        """Return the adder's operands: a sum and a term, or two sums; unused sums are zero."""
        filled = Signal(SLOT_BITS, reset_less=True)
        all_filled = Signal()
        with m.If(self.i.present):
            m.d.sync += filled.eq(place.slot)
            with m.If((place.slot == ACCUMULATORS - 1) & (place.lane == self._lanes - 1)):
                m.d.sync += all_filled.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += all_filled.eq(0)

        def read(slot: Value) -> tuple[Value, Value]:
            port = sums.read_port(domain="comb")
            m.d.comb += port.addr.eq(Cat(slot, place.lane))
            return port.data, all_filled | (level > 1) | (adding & (slot <= filled))

        left, left_counts = read(Mux(adding, Cat(Const(0, 1), place.slot[:-1]), place.slot))
        right, right_counts = read(Cat(Const(1, 1), place.slot[:-1]))
        return {
            "left": Mux(left_counts, left, 0),
            "right": Mux(adding, Mux(right_counts, right, 0), self.i.value),
        }
