"""The sums of squares of several rows in lock step."""

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring

from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.float32.row import check_lanes, lane_row_layout
from tercel_hw.float32.sum_of_squares import SumOfSquares

__all__ = ["LaneSumOfSquares"]


class LaneSumOfSquares(wiring.Component):
    """``numerics.quantise.sum_of_squares`` of every lane; one element of each a cycle.

    Parameters
    ----------
    lanes
        Rows in lock step.

    Members
    -------
    i : In(stream.Signature(StructLayout({"values": ArrayLayout(32, lanes), "last": 1})))
    o : Out(stream.Signature(ArrayLayout(32, lanes)))
        One a row.

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

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(self._lanes):
            m.submodules[f"lane_{lane}"] = squares = SumOfSquares(elements=1)
            m.d.comb += [
                squares.i.valid.eq(self.i.valid),
                squares.i.payload.x[0].eq(self.i.payload.values[lane]),
                squares.i.payload.last.eq(self.i.payload.last),
                self.i.ready.eq(squares.i.ready),
                squares.o.ready.eq(self.o.ready),
                self.o.valid.eq(squares.o.valid),
                self.o.payload[lane].eq(squares.o.payload),
            ]
        return m
