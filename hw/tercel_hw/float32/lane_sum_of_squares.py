"""The sums of squares of several rows in lockstep."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring

from tercel.numerics.quantise import TREE
from tercel_hw.float32.lane_accumulator import LaneAccumulator
from tercel_hw.float32.lane_square_tree import LaneSquareTree
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.float32.row import check_lanes, lane_row_layout

__all__ = ["LaneSumOfSquares"]


class LaneSumOfSquares(wiring.Component):
    """``numerics.quantise.sum_of_squares`` of every lane; one element of each a cycle.

    A :class:`LaneSquareTree` and one more adder, which serves all accumulators: 8 lanes take 8
    multipliers and 9 adders. The next row is taken when the sums have been taken. A row whose
    length is no multiple of 16 is padded with zeros.

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
        return LaneSquareTree.LATENCY + lanes - 1 + LaneAccumulator.latency(lanes)

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

        m.submodules.tree = tree = LaneSquareTree(lanes=self._lanes, tag_bits=1)
        m.d.comb += [
            tree.i.present.eq(present),
            tree.i.beat.eq(beat),
            tree.i.tag.eq(last),
            accumulator.i.eq(tree.o),
        ]
        for lane in range(self._lanes):
            x = self.i.payload.values[lane]
            m.d.comb += tree.i["values"][lane].eq(x & (~filling).replicate(FLOAT32_BITS))
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        return m
