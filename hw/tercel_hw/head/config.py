"""The shape of the head's result blocks."""

from dataclasses import dataclass

from amaranth.hdl import signed
from amaranth.lib import data

from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.memory.checks import check_integer

__all__ = ["EXPONENT_BITS", "HeadConfig"]

EXPONENT_BITS = 18
"""Of a base-2 logit, nine of them fraction."""
SUM_BITS = 32
TOTAL_BITS = 64


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Shape of the head's result blocks.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K."""
    rows: int = 1 << 18
    """Most rows of a head; the histogram's bins hold 2^20."""
    best: int = 64
    """Rows that top-k gives, k."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        check_integer("rows", self.rows, 2, 1 << 20)
        check_integer("best", self.best, 2, 64)

    @property
    def sums(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(SUM_BITS), self.nodes)

    @property
    def floats(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def exponents(self) -> data.ArrayLayout:
        """Base-2 logits."""
        return data.ArrayLayout(signed(EXPONENT_BITS), self.nodes)

    @property
    def logits(self) -> data.StructLayout:
        """Unscaled logits of a row: what orders rows."""
        return data.StructLayout({"values": self.floats, "row": range(self.rows), "last": 1})

    @property
    def candidates(self) -> data.StructLayout:
        """A row and its unscaled logit for each lane."""
        rows = data.ArrayLayout(range(self.rows), self.nodes)
        return data.StructLayout({"values": self.floats, "rows": rows, "last": 1})

    @property
    def totals(self) -> data.StructLayout:
        """Sums of exponentials: a lane's is ``total * 2^(octave - 43)``."""
        octave = signed(EXPONENT_BITS - EXP2_FRACTION_BITS)
        return data.StructLayout(
            {
                "octaves": data.ArrayLayout(octave, self.nodes),
                "totals": data.ArrayLayout(TOTAL_BITS, self.nodes),
            }
        )
