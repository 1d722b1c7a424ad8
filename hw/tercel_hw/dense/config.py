"""The dense engine's shape."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel_hw.dense.packing import PACKED_TERMS
from tercel_hw.memory.checks import check_integer, check_power_of_two

__all__ = ["GRANULE", "SUM_BITS", "TOTAL_BITS", "WEIGHT_BITS", "DenseConfig"]

GRANULE = 16
"""Head sizes are a multiple of it."""
SUM_BITS = 32
"""Of a dot product's sum."""
WEIGHT_BITS = 17
"""Of an axpy weight, unsigned."""
TOTAL_BITS = 37
"""Of an axpy sum: (2^17 - 1) * 127 * rows is below 2^36 for up to 4128 rows."""

FACTOR_BITS = 18
"""Of a cell's first operand: a weight and its sign; the second is a byte."""
PACKED_FACTOR_BITS = 27


@dataclass(frozen=True, kw_only=True)
class DenseConfig:
    """Shape of a dense engine.

    A *cell* is one multiplier, a DSP48E2 on UltraScale+. Unpacked, there is one for each lane and
    byte of a beat. Packed, a cell does two lanes' products in dot mode, so there are half as many,
    and axpy takes two cycles a beat: first the lower half of the lanes, then the upper.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K: vectors a beat meets in one cycle."""
    macs: int = 64
    """Bytes of a beat: multiply-accumulates per lane and cycle."""
    turns: int = 4
    """Most sets of K vectors that a row meets, one after the other (query heads of a KV head)."""
    vector_beats: int = 64
    """Capacity of a lane's vector memory; a command needs ``beats * turns``."""
    total_words: int = 8
    """Capacity of the axpy sums; a command needs ``beats * turns * halves``."""
    rows: int = 1 << 17
    """Most rows of a command."""
    packed: bool = False

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        check_power_of_two("macs", self.macs, PACKED_TERMS, 256)
        check_integer("turns", self.turns, 1, 16)
        check_integer("vector_beats", self.vector_beats, 2, 1 << 12)
        check_integer("total_words", self.total_words, 2, 64)
        check_integer("rows", self.rows, 1, 1 << 20)
        if not isinstance(self.packed, bool):
            raise TypeError(f"packed must be a boolean, not {self.packed!r}")
        if self.packed and self.nodes % 2:
            raise ValueError(f"nodes must be even if cells are packed, not {self.nodes}")

    @property
    def granule(self) -> int:
        """Bytes: rows that lie without gaps are a multiple of it."""
        return min(GRANULE, self.macs)

    @property
    def halves(self) -> int:
        """Cycles that a beat and turn take in axpy mode."""
        return 2 if self.packed else 1

    @property
    def columns(self) -> int:
        """Cells for each byte of a beat: the lanes of an axpy step."""
        return self.nodes // self.halves

    @property
    def cells(self) -> int:
        """Multipliers."""
        return self.columns * self.macs

    @property
    def most_elements(self) -> int:
        """The widest row of a command."""
        return self.vector_beats * self.macs

    @property
    def beat(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(8), self.macs)

    @property
    def factor_bits(self) -> int:
        """Of a cell's first operand."""
        return PACKED_FACTOR_BITS if self.packed else FACTOR_BITS

    @property
    def products(self) -> data.ArrayLayout:
        """A column's products of a beat; those of packed cells are pairs."""
        return data.ArrayLayout(signed(self.factor_bits + 8), self.macs)

    @property
    def sums(self) -> data.ArrayLayout:
        """What a dot yields for a row and turn."""
        return data.ArrayLayout(signed(SUM_BITS), self.nodes)

    @property
    def weights(self) -> data.ArrayLayout:
        """What axpy takes for a row and turn."""
        return data.ArrayLayout(unsigned(WEIGHT_BITS), self.nodes)

    @property
    def totals(self) -> data.StructLayout:
        """What axpy yields for an element and a set of lanes."""
        return data.StructLayout(
            {
                "sums": data.ArrayLayout(signed(TOTAL_BITS), self.columns),
                "set": range(self.turns * self.halves),
                "last": 1,
            }
        )

    @property
    def command(self) -> data.StructLayout:
        """A walk over rows."""
        return data.StructLayout(
            {
                "axpy": 1,
                "elements": range(self.most_elements + 1),
                "turns": range(self.turns + 1),
                "rows": range(self.rows + 1),
            }
        )

    @property
    def vector(self) -> data.StructLayout:
        """An element of every lane's vector: ``byte`` of the beat at ``beat * turns + turn``."""
        return data.StructLayout(
            {
                "address": range(self.vector_beats),
                "byte": range(self.macs),
                "values": data.ArrayLayout(signed(8), self.nodes),
            }
        )
