"""One level of the binary adder trees of several lanes, with a single adder."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from tercel_hw.float32.adder import Adder
from tercel_hw.float32.primitive import FLOAT32_BITS, attach
from tercel_hw.float32.stages import Stages

__all__ = ["LanePairSum", "lane_term"]


def lane_term(tag_bits: int) -> data.StructLayout:
    """Return the layout of a lane's optional value; tag bit 0 marks the second of a pair."""
    return data.StructLayout({"value": FLOAT32_BITS, "present": 1, "tag": tag_bits})


class LanePairSum(wiring.Component):
    """Adds each two successive terms, not negative, of every lane; no flow control, latency 8.

    The lanes come in one or two groups. Those of a group come one after the other in successive
    cycles, first terms and second terms in turn; the second group comes right after the first, so
    that no two pairs are complete at once.

    Parameters
    ----------
    lanes
        Number of lanes of each group; the first group is at least as large as the second.
    tag_bits
        Width of a term's tag; a sum has the tag of its second term, without the lowest bit.

    Members
    -------
    i : In(ArrayLayout(lane_term(tag_bits), len(lanes)))
    o : Out(lane_term(tag_bits - 1))
        The lanes of all groups, one after the other.
    """

    LATENCY = Adder.LATENCY

    i: data.View
    o: data.View

    def __init__(self, *, lanes: Sequence[int], tag_bits: int):
        self._lanes = tuple(lanes)
        groups = data.ArrayLayout(lane_term(tag_bits), len(self._lanes))
        super().__init__({"i": wiring.In(groups), "o": wiring.Out(lane_term(tag_bits - 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, Const(1))
        first: Value = Const(0, FLOAT32_BITS)
        second, tag, complete = self.i[0].value, self.i[0].tag, Const(0, 1)
        for group, lanes in enumerate(self._lanes):
            term = self.i[group]
            # The same lane's previous term came ``lanes`` terms ago.
            before = Stages(m, term.present).delay(term.value, lanes, f"before_{group}")
            ends = Signal(name=f"ends_{group}")
            m.d.comb += ends.eq(term.present & term.tag[0])
            first = Mux(ends, before, first)
            second, tag = Mux(ends, term.value, second), Mux(ends, term.tag, tag)
            complete = complete | ends
        total = attach(m, "adder", Adder(magnitudes=True), Const(1), a=first, b=second)
        # The next level chooses its operands by the tag. With a reset its last register is none of
        # the shift register in lookup tables, whose output comes late in the cycle.
        tag = stages.delay(tag[1:], self.LATENCY - 1, "tag")
        m.d.comb += [
            self.o.value.eq(total),
            self.o.present.eq(stages.delay(complete, self.LATENCY, "present", reset=True)),
            self.o.tag.eq(stages.delay(tag, 1, "last_tag", reset=True)),
        ]
        return m
