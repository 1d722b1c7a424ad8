"""Parameters of the head's result blocks."""

from dataclasses import dataclass

from amaranth.hdl import signed
from amaranth.lib import data

from tercel.config import SHORTLISTS
from tercel.image.layout import padded_rows
from tercel.numerics.functions import EXP2_FRACTION_BITS
from tercel.numerics.shortlist import DEPTH
from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["EXPONENT_BITS", "OCTAVE_BITS", "PLACES", "TOTAL_BITS", "HeadConfig"]

EXPONENT_BITS = 18
"""Width of a base-2 logit with nine fraction bits."""
OCTAVE_BITS = EXPONENT_BITS - EXP2_FRACTION_BITS
TOTAL_BITS = 64
MOST_ROWS = 1 << 20
"""Most rows: the most exponentials that a bin of the histogram adds up."""
PLACE_BITS = 2
PLACES = 1 << PLACE_BITS
"""Entries of a word of top-k lists."""


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Parameters of the head's result blocks.

    Logits, scales and results pass one pipeline lane by lane; sums and lines have all lanes at
    once.

    Raises
    ------
    ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K."""
    rows: int = 1 << 18
    """Largest vocabulary: most rows of a head without padding."""
    top_k: int = 64
    """Largest k of top-k."""
    sum_bits: int = 32
    """Width of a row's sums."""
    ternary_rows: int = 0
    """Rows of a ternary head that can wait; 0 if there are no ternary heads."""
    shortlist: int = 0
    """Most rows of a lane's shortlist, for two-stage heads; 0 if there are none."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        check_integer("rows", self.rows, 2, MOST_ROWS)
        check_integer("top_k", self.top_k, 2, 64)
        check_integer("sum_bits", self.sum_bits, 2, 40)
        if self.ternary_rows:
            check_integer("ternary_rows", self.ternary_rows, 2, 65536)
        if self.shortlist:
            check_power_of_two("shortlist", self.shortlist, SHORTLISTS[0], SHORTLISTS[-1])
            if not self.ternary_rows:
                raise ValueError(
                    "ternary_rows must be given with a shortlist, whose rows are ternary"
                )

    @property
    def played_rows(self) -> int:
        """Most rows of a sweep, with the padding of the last block."""
        return padded_rows(self.rows)

    @property
    def sums(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.sum_bits), self.nodes)

    @property
    def floats(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def row(self) -> data.StructLayout:
        """Layout of the unscaled logits of a row of a ternary head; ``last`` with the last row."""
        return data.StructLayout({"values": self.floats, "last": 1})

    @property
    def most_buckets(self) -> int:
        """Most buckets of a shortlist."""
        return self.shortlist // DEPTH

    @property
    def list_words(self) -> int:
        """Words of a lane's top-k list, a power of two."""
        return 1 << (-(-self.top_k // PLACES) - 1).bit_length()

    @property
    def place(self) -> data.StructLayout:
        """Layout of a logit's lane and row; ``last`` with the last of a sweep."""
        return data.StructLayout({"lane": range(self.nodes), "row": range(self.rows), "last": 1})

    @property
    def listed(self) -> data.StructLayout:
        """Layout of a row of shortlists and the ``lanes`` that list it; ``last`` with the last."""
        return data.StructLayout({"row": range(self.rows), "lanes": self.nodes, "last": 1})

    @property
    def logit(self) -> data.StructLayout:
        """Layout of an unscaled logit, by which rows are ordered.

        With a shortlist also ``rank``: the number of the lane's logits before it, or the entries of
        a top-k list if that is less.
        """
        rank = {"rank": range(self.list_words * PLACES + 1)} if self.shortlist else {}
        return data.StructLayout({"value": FLOAT32_BITS, **self.place.members, **rank})

    @property
    def scale(self) -> data.StructLayout:
        """Layout of the scale of a lane's activations."""
        return data.StructLayout({"value": FLOAT32_BITS, "lane": range(self.nodes)})

    @property
    def exponent(self) -> data.StructLayout:
        """Layout of a base-2 logit with nine fraction bits; ``last`` with the last of a sweep."""
        return data.StructLayout(
            {"value": signed(EXPONENT_BITS), "lane": range(self.nodes), "last": 1}
        )

    @property
    def rank(self) -> data.StructLayout:
        """Layout of the index of an entry in a lane's top-k list."""
        return data.StructLayout({"rank": range(self.top_k), "lane": range(self.nodes)})

    @property
    def entry(self) -> data.StructLayout:
        """Layout of a top-k entry: a row and its unscaled logit."""
        return data.StructLayout({"value": FLOAT32_BITS, "row": range(self.rows)})

    @property
    def word(self) -> data.StructLayout:
        """Layout of a lane's part of a result line; ``last`` with the line's last part."""
        return data.StructLayout({"value": FLOAT32_BITS, "lane": range(self.nodes), "last": 1})
