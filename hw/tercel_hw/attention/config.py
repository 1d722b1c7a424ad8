"""The shape of an attention."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel.numerics.attention import SCORE_BITS
from tercel.program import lanes_per_head_choices
from tercel_hw.checks import check_integer
from tercel_hw.dense import DenseConfig
from tercel_hw.dense.config import PRODUCT
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["BFLOAT16_BITS", "DENOMINATOR_BITS", "AttentionConfig"]

BFLOAT16_BITS = 16
DENOMINATOR_BITS = 32
"""Up to 4096 terms of 2^19."""
MOST_POSITIONS = 4096
RAM_STYLES = (None, "block", "distributed", "ultra")


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Shape of an attention.

    A *sweep* is over the keys and then the values of a KV head; it serves as many of its query
    heads as there are lanes for. Each has a *head slot*: node n of head slot s has lane
    ``s * lanes_per_head + n``.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    dense: DenseConfig
    positions: int = MOST_POSITIONS
    """Most keys that a query sees."""
    sweeps: int = 64
    """Most sweeps of a layer."""
    ram_style: str | None = "ultra"
    """Of the memories of scores and weights: ``block``, ``distributed``, ``ultra`` or none."""

    def __post_init__(self):
        if not isinstance(self.dense, DenseConfig):
            raise TypeError(f"dense must be a DenseConfig, not {self.dense!r}")
        check_integer("positions", self.positions, 2, MOST_POSITIONS)
        check_integer("sweeps", self.sweeps, 1, 255)
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
    def lanes_per_head_choices(self) -> tuple[int, ...]:
        """Lanes that a query head may have."""
        return lanes_per_head_choices(self.nodes)

    @property
    def sum_bits(self) -> int:
        """Of a score's integer."""
        return (self.dense.totals * self.dense.macs * PRODUCT).bit_length() + 1

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
    def layer(self) -> data.StructLayout:
        """All sweeps of a layer: ``base`` positions that every node sees, then the nodes' own."""
        read = self.dense.read.members
        return data.StructLayout(
            {
                "base": range(self.positions + 1),
                "nodes": range(self.nodes + 1),
                "lanes_per_head": range(self.nodes + 1),
                "heads": range(256),
                "head_slots": range(self.nodes + 1),
                "sweeps": range(self.sweeps + 1),
                "elements": read["elements"],
                "full": read["full"],
                "half": 1,
                "ancestors": self.ancestors,
            }
        )

    @property
    def head_command(self) -> data.StructLayout:
        """A sweep of the model's head over ``rows`` of ``slices`` with the dense engine."""
        members = self.dense.command.members
        return data.StructLayout({"slices": members["full"], "rows": members["rows"]})

    @property
    def row_scales(self) -> data.StructLayout:
        """The scales of a position, bfloat16."""
        return data.StructLayout({"key": BFLOAT16_BITS, "value": BFLOAT16_BITS})

    @property
    def scored(self) -> data.StructLayout:
        """A position's scores and the scale of its value."""
        return data.StructLayout({"scores": self.scores, "value_scale": BFLOAT16_BITS})

    @property
    def denominators(self) -> data.StructLayout:
        """What a sweep leaves: the sums L and the largest exponents E, biased."""
        return data.StructLayout(
            {
                "sums": data.ArrayLayout(unsigned(DENOMINATOR_BITS), self.nodes),
                "exponents": data.ArrayLayout(unsigned(8), self.nodes),
            }
        )

    @property
    def output(self) -> data.StructLayout:
        """An element of all nodes' outputs; ``last`` with a sweep's last."""
        return data.StructLayout({"values": self.floats, "last": 1})
