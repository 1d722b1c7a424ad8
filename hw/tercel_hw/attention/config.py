"""The shape of an attention unit."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel.numerics.attention import SCORE_BITS
from tercel_hw.dense import DenseConfig
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.memory.checks import check_integer

__all__ = ["BFLOAT16_BITS", "DENOMINATOR_BITS", "AttentionConfig"]

BFLOAT16_BITS = 16
DENOMINATOR_BITS = 32
"""Up to 4096 terms of 2^19."""
MOST_POSITIONS = 4096
RAM_STYLES = (None, "block", "distributed", "ultra")


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Shape of the attention of one KV head at a time.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    dense: DenseConfig
    """Its lanes are the pass's nodes, its turns the query heads of a KV head."""
    positions: int = MOST_POSITIONS
    """Most keys that a query sees."""
    score_words: int = 1 << 14
    """Capacity of the score memory; a walk needs ``positions * turns``."""
    ram_style: str | None = "ultra"
    """Of the score memory: ``block``, ``distributed``, ``ultra`` or none."""

    def __post_init__(self):
        if not isinstance(self.dense, DenseConfig):
            raise TypeError(f"dense must be a DenseConfig, not {self.dense!r}")
        check_integer("positions", self.positions, 2, MOST_POSITIONS)
        check_integer("score_words", self.score_words, self.positions, 1 << 18)
        if self.positions > self.dense.rows:
            raise ValueError(
                f"positions must not exceed the dense engine's rows ({self.dense.rows}), "
                f"but are {self.positions}"
            )
        if self.ram_style not in RAM_STYLES:
            names = ", ".join(repr(style) for style in RAM_STYLES)
            raise ValueError(f"ram_style must be one of {names}, not {self.ram_style!r}")

    @property
    def nodes(self) -> int:
        """Lanes, K."""
        return self.dense.nodes

    @property
    def turns(self) -> int:
        """Most query heads of a KV head."""
        return self.dense.turns

    @property
    def scores(self) -> data.ArrayLayout:
        """Base-2 logarithms, 9 fraction bits."""
        return data.ArrayLayout(signed(SCORE_BITS), self.nodes)

    @property
    def floats(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def ancestors(self) -> data.ArrayLayout:
        """Bit j of element i: node i sees node j; its own bit is set."""
        return data.ArrayLayout(unsigned(self.nodes), self.nodes)

    @property
    def walk(self) -> data.StructLayout:
        """The positions of a walk: first the past, which all ``nodes`` see, then these."""
        return data.StructLayout(
            {
                "past": range(self.positions + 1),
                "nodes": range(self.nodes + 1),
                "turns": range(self.turns + 1),
                "ancestors": self.ancestors,
            }
        )

    @property
    def head_command(self) -> data.StructLayout:
        """A walk of the model's head over ``rows`` of ``elements`` with the dense engine."""
        members = self.dense.command.members
        return data.StructLayout({"elements": members["elements"], "rows": members["rows"]})

    @property
    def row_scales(self) -> data.StructLayout:
        """The scales of a position, bfloat16."""
        return data.StructLayout({"key": BFLOAT16_BITS, "value": BFLOAT16_BITS})

    @property
    def query_scale(self) -> data.StructLayout:
        """``query scale * log2e / sqrt(head size)``, float32."""
        return data.StructLayout(
            {"turn": range(self.turns), "lane": range(self.nodes), "value": FLOAT32_BITS}
        )

    @property
    def denominators(self) -> data.StructLayout:
        """What a walk leaves for each turn: the sums L and the largest exponents E, biased."""
        return data.StructLayout(
            {
                "sums": data.ArrayLayout(unsigned(DENOMINATOR_BITS), self.nodes),
                "exponents": data.ArrayLayout(unsigned(8), self.nodes),
                "last": 1,
            }
        )

    @property
    def output(self) -> data.StructLayout:
        """An element of ``dense.columns`` lanes' outputs, in the order of the dense totals."""
        return data.StructLayout(
            {
                "values": data.ArrayLayout(FLOAT32_BITS, self.dense.columns),
                "set": self.dense.totals.members["set"],
                "last": 1,
            }
        )
