"""The shape of the head's result blocks."""

from dataclasses import dataclass

from amaranth.hdl import signed
from amaranth.lib import data

from tercel.image.layout import padded_rows
from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel_hw.checks import check_integer
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["EXPONENT_BITS", "OCTAVE_BITS", "TOTAL_BITS", "HeadConfig"]

EXPONENT_BITS = 18
"""Of a base-2 logit, nine of them fraction."""
OCTAVE_BITS = EXPONENT_BITS - EXP2_FRACTION_BITS
TOTAL_BITS = 64
MOST_ROWS = 1 << 20
"""As many exponentials as a bin of the histogram adds up."""


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Shape of the head's result blocks.

    Logits, scales and results go through one pipeline, lane by lane; sums come and lines leave with
    all lanes at once.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K."""
    rows: int = 1 << 18
    """Largest vocabulary: most rows of a head that count."""
    top_k: int = 64
    """Rows that top-k gives, k."""
    sum_bits: int = 32
    """Of a row's sums."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        check_integer("rows", self.rows, 2, MOST_ROWS)
        check_integer("top_k", self.top_k, 2, 64)
        check_integer("sum_bits", self.sum_bits, 2, 40)

    @property
    def played_rows(self) -> int:
        """Most rows of a sweep: those that fill the last block come too, but do not count."""
        return padded_rows(self.rows)

    @property
    def sums(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.sum_bits), self.nodes)

    @property
    def floats(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def place(self) -> data.StructLayout:
        """A logit's lane and row; ``last`` with the last of a sweep."""
        return data.StructLayout({"lane": range(self.nodes), "row": range(self.rows), "last": 1})

    @property
    def logit(self) -> data.StructLayout:
        """An unscaled logit: what orders rows."""
        return data.StructLayout({"value": FLOAT32_BITS, **self.place.members})

    @property
    def scale(self) -> data.StructLayout:
        """The scale of a lane's activations."""
        return data.StructLayout({"value": FLOAT32_BITS, "lane": range(self.nodes)})

    @property
    def exponent(self) -> data.StructLayout:
        """A base-2 logit, nine fraction bits; ``last`` with the last of a sweep."""
        return data.StructLayout(
            {"value": signed(EXPONENT_BITS), "lane": range(self.nodes), "last": 1}
        )

    @property
    def rank(self) -> data.StructLayout:
        """Names an entry of a lane's list of best rows."""
        return data.StructLayout({"rank": range(self.top_k), "lane": range(self.nodes)})

    @property
    def entry(self) -> data.StructLayout:
        """A row and its unscaled logit."""
        return data.StructLayout({"value": FLOAT32_BITS, "row": range(self.rows)})

    @property
    def word(self) -> data.StructLayout:
        """A lane's part of a result line; ``last`` with the last that the line needs."""
        return data.StructLayout({"value": FLOAT32_BITS, "lane": range(self.nodes), "last": 1})
