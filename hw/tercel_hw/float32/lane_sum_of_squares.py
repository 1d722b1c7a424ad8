"""The sums of squares of several rows in lockstep."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring

from tercel.numerics.quantise import TREE
from tercel_hw.float32.lane_accumulator import LaneAccumulator
from tercel_hw.float32.lane_pair_sum import LanePairSum, lane_term
from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.row import check_lanes, lane_row_layout
from tercel_hw.float32.stages import Stages

__all__ = ["LaneSumOfSquares"]

TREE_LEVELS = (TREE - 1).bit_length()


class LaneSumOfSquares(wiring.Component):
    """``numerics.quantise.sum_of_squares`` of every lane; one element of each a cycle.

    There is a multiplier for each lane. A lane's pairs are complete every other cycle, its sums of
    two every fourth, and so on; each lane is a cycle later than the previous one, so that two,
    four, eight lanes share an adder. One more adder serves all accumulators: 8 lanes take 8
    multipliers and 9 adders.

    The next row is taken when the sums have been taken. A row whose length is no multiple of 16 is
    padded with zeros.

    Parameters
    ----------
    lanes
        Rows in lockstep, 1 to 16.

    Members
    -------
    i : In(stream.Signature(StructLayout({"values": ArrayLayout(32, lanes), "last": 1})))
    o : Out(stream.Signature(ArrayLayout(32, lanes)))
        Sums of squares, one for each row.

    Raises
    ------
    ValueError
        If ``lanes`` is no integer in 1..16.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, lanes: int):
        check_lanes(lanes)
        self._lanes = lanes
        super().__init__(
            {
                "i": wiring.In(stream.Signature(lane_row_layout(lanes))),
                "o": wiring.Out(stream.Signature(data.ArrayLayout(FLOAT32_BITS, lanes))),
            }
        )

    @property
    def lanes(self) -> int:
        return self._lanes

    @staticmethod
    def latency(lanes: int) -> int:
        """Cycles from a row's last element to its sums, if the row is a multiple of 16."""
        tree = Multiplier.LATENCY + TREE_LEVELS * LanePairSum.LATENCY
        return tree + lanes - 1 + LaneAccumulator.latency(lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accumulator = accumulator = LaneAccumulator(lanes=self._lanes)
        filling, summing, present, last = (Signal() for _ in range(4))
        beat = Signal(range(TREE))
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(~summing),
            present.eq(taken | filling),
            last.eq((filling | self.i.payload.last) & (beat == TREE - 1)),
        ]
        with m.If(present):
            m.d.sync += beat.eq(beat + 1)
        with m.If(last):
            m.d.sync += filling.eq(0)
        with m.Elif(taken & self.i.payload.last):
            m.d.sync += filling.eq(1)
        with m.If(taken & self.i.payload.last):
            m.d.sync += summing.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += summing.eq(0)

        groups = [(term, 1) for term in self._squares(m, filling, present, Cat(beat, last))]
        for level in range(TREE_LEVELS):
            groups = [
                self._pair(m, f"sum_{level}_{first}", groups[first : first + 2])
                for first in range(0, len(groups), 2)
            ]
        m.d.comb += accumulator.i.eq(groups[0][0])
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m

    def _squares(self, m: Module, filling, present, tag) -> list[data.View]:
        """Return the lanes' squares, each lane a cycle after the previous one."""
        stages = Stages(m, Const(1))
        marks = stages.delay(present, Multiplier.LATENCY, "present", reset=True)
        tag = stages.delay(tag, Multiplier.LATENCY, "tag")
        terms = []
        for lane in range(self._lanes):
            x = self.i.payload.values[lane] & (~filling).replicate(FLOAT32_BITS)
            square = attach(m, f"square_{lane}", Multiplier(), Const(1), a=x, b=x)
            term = Signal(lane_term(len(tag)), name=f"term_{lane}")
            m.d.comb += [
                term.value.eq(stages.delay(square, lane, f"square_{lane}")),
                term.present.eq(marks),
                term.tag.eq(tag),
            ]
            marks = stages.delay(marks, 1, f"present_{lane}", reset=True)
            tag = stages.delay(tag, 1, f"tag_{lane}")
            terms.append(term)
        return terms

    def _pair(self, m: Module, name: str, groups: list) -> tuple[data.View, int]:
        """Add a tree level of one or two groups of lanes; return its sums and number of lanes."""
        lanes = [count for _, count in groups]
        terms = [term for term, _ in groups]
        tag_bits = len(terms[0].tag)
        m.submodules[name] = pairs = LanePairSum(lanes=lanes, tag_bits=tag_bits)
        m.d.comb += [pairs.i[index].eq(term) for index, term in enumerate(terms)]
        return pairs.o, sum(lanes)
