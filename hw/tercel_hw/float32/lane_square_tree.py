"""The sums of squares of sixteen neighbours of several rows in lockstep."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring

from tercel.numerics.quantise import TREE
from tercel_hw.float32.lane_pair_sum import LanePairSum, lane_term
from tercel_hw.float32.multiplier import Multiplier
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.stages import Stages

__all__ = ["LaneSquareTree"]

TREE_LEVELS = (TREE - 1).bit_length()


class LaneSquareTree(wiring.Component):
    """Adds the squares of each 16 neighbours of every lane by a binary tree; no flow control.

    One element of every lane a cycle. There is a multiplier for each lane. A lane's pairs are
    complete every other cycle, its sums of two every fourth, and so on; each lane is a cycle later
    than the previous one, so that two, four, eight lanes share an adder: 8 lanes take 8 multipliers
    and 8 adders.

    Parameters
    ----------
    lanes
        Rows in lockstep, 1 to 16.
    tag_bits
        Width of a tag that accompanies the elements.

    Members
    -------
    i : In(StructLayout({"values": ArrayLayout(32, lanes), "present": 1, "beat": 4, "tag": ...}))
        An element of every lane if ``present``; ``beat`` is its place among its 16 neighbours.
    o : Out(lane_term(tag_bits))
        Sums, one lane after the other, ``LATENCY`` cycles after the last of the 16 and a cycle more
        for each lane before; with the tag of the last.
    """

    LATENCY = Multiplier.LATENCY + TREE_LEVELS * LanePairSum.LATENCY

    i: data.View
    o: data.View

    def __init__(self, *, lanes: int, tag_bits: int):
        self._lanes = lanes
        element = data.StructLayout(
            {
                "values": data.ArrayLayout(FLOAT32_BITS, lanes),
                "present": 1,
                "beat": TREE_LEVELS,
                "tag": tag_bits,
            }
        )
        super().__init__({"i": wiring.In(element), "o": wiring.Out(lane_term(tag_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        groups = [(term, 1) for term in self._squares(m)]
        for level in range(TREE_LEVELS):
            groups = [
                self._pair(m, f"sum_{level}_{first}", groups[first : first + 2])
                for first in range(0, len(groups), 2)
            ]
        m.d.comb += self.o.eq(groups[0][0])
        return m

    def _squares(self, m: Module) -> list[data.View]:
        """Return the lanes' squares, each lane a cycle after the previous one."""
        stages = Stages(m, Const(1))
        marks = stages.delay(self.i.present, Multiplier.LATENCY, "present", reset=True)
        tag = stages.delay(Cat(self.i.beat, self.i.tag), Multiplier.LATENCY, "tag")
        terms = []
        for lane in range(self._lanes):
            x = self.i["values"][lane]
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
