"""Copies of a primitive in lockstep, one a lane."""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import data

from tercel_hw.float32.primitive import Primitive

__all__ = ["Lanes"]


class Lanes(Primitive):
    """One primitive for each lane; each operand and the result is an array with an element a lane.

    Latency and throughput are the primitive's.

    Parameters
    ----------
    primitives
        One for each lane, all alike; they become submodules.

    Members
    -------
    operands of the primitive : In(ArrayLayout(shape, lanes))
    o : Out(ArrayLayout(result, lanes))

    Raises
    ------
    TypeError
        If an element is no primitive.
    ValueError
        If there are no primitives, or not all are alike.
    """

    def __init__(self, primitives: Sequence[Primitive]):
        self._lanes = list(primitives)
        if not self._lanes:
            raise ValueError("there must be at least one lane")
        for lane in self._lanes:
            if not isinstance(lane, Primitive):
                raise TypeError(f"every lane must be a Primitive, not {lane!r}")
        first = self._lanes[0]
        for lane in self._lanes:
            if type(lane) is not type(first) or lane.signature != first.signature:
                raise ValueError(f"all lanes must be alike, not {first!r} and {lane!r}")
        count = len(self._lanes)
        operands = {name: data.ArrayLayout(shape, count) for name, shape in first.operands.items()}
        super().__init__(operands, data.ArrayLayout(first.result, count))

    @property
    def lanes(self) -> int:
        return len(self._lanes)

    @property
    def latency(self) -> int:
        return self._lanes[0].latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index, lane in enumerate(self._lanes):
            m.submodules[f"lane_{index}"] = lane
            m.d.comb += lane.enable.eq(self.enable)
            for name in lane.operands:
                m.d.comb += getattr(lane, name).eq(getattr(self, name)[index])
            m.d.comb += self.o[index].eq(lane.o)
        return m
