"""The sums of squares of attention heads, heads back to back."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring

from tercel.numerics.quantise import ACCUMULATORS, TREE
from tercel_hw.float32 import LanePartnerSum, LaneSquareTree
from tercel_hw.float32.lane_pair_sum import lane_term
from tercel_hw.float32.lane_partner_sum import INDEX_BITS
from tercel_hw.vector.config import VectorConfig

__all__ = ["HeadSquares"]

BEAT_BITS = (TREE - 1).bit_length()
FOLD = (ACCUMULATORS - 1).bit_length()
"""Bit in which the indices of two terms of one partial sum differ."""


class HeadSquares(wiring.Component):
    """``numerics.sum_of_squares`` of heads of all lanes, an element of each a cycle.

    Unlike :class:`LaneSumOfSquares` it takes the next head at once: a head has at most two sums of
    16 neighbours for each of the 8 partial sums, so a tree with an adder a level adds them all.
    There is no flow control. A lane's sum leaves ``latency`` cycles after the head's last element,
    and a cycle later for each lane before it.

    Parameters
    ----------
    config
        Parameters of the vector unit, with ``qk_norm``.

    Members
    -------
    count : In(5)
        Elements of a head divided by 16; constant while there are heads in the block.
    i : In(StructLayout({"values": config.floats, "present": 1, "place": 8}))
        An element of every lane if ``present``, and its place in the head.
    o : Out(lane_term(0))
        Sums, one lane after the other.
    """

    count: Signal
    i: data.View
    o: data.View

    def __init__(self, config: VectorConfig):
        self._config = config
        element = {"values": config.floats, "present": 1, "place": BEAT_BITS + INDEX_BITS}
        super().__init__(
            {
                "count": wiring.In(INDEX_BITS + 1),
                "i": wiring.In(data.StructLayout(element)),
                "o": wiring.Out(lane_term(0)),
            }
        )

    @property
    def config(self) -> VectorConfig:
        return self._config

    @staticmethod
    def latency(config: VectorConfig) -> int:
        """Cycles from a head's last element to the first lane's sum."""
        return LaneSquareTree.LATENCY + len(_bits(config)) * LanePartnerSum.LATENCY

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, bits = self._config.nodes, _bits(self._config)
        m.submodules.tree = tree = LaneSquareTree(lanes=lanes, tag_bits=INDEX_BITS)
        m.d.comb += [
            tree.i["values"].eq(self.i["values"]),
            tree.i.present.eq(self.i.present),
            tree.i.beat.eq(self.i.place[:BEAT_BITS]),
            tree.i.tag.eq(self.i.place[BEAT_BITS:]),
        ]
        term = tree.o
        for level, bit in enumerate(bits):
            m.submodules[f"sum_of_bit_{bit}"] = sums = LanePartnerSum(
                lanes=lanes, bits=bits[level:]
            )
            m.d.comb += [sums.i.eq(term), sums.count.eq(self.count)]
            term = sums.o
        m.d.comb += [self.o.value.eq(term.value), self.o.present.eq(term.present)]
        return m


def _bits(config: VectorConfig) -> Sequence[int]:
    """Return the bits of a term's index, in the order in which they are summed."""
    terms = config.head_size // TREE
    return [bit for bit in (FOLD, *range(FOLD)) if 1 << bit < terms]
