"""Parameters of :class:`~tercel_hw.attention.datapath.Attention`."""

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
"""Width of a denominator: up to 4096 terms of 2^19."""
MOST_POSITIONS = 4096
RAM_STYLES = (None, "block", "distributed", "ultra")


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Parameters of the attention's datapath.

    A *KV sweep* reads the keys and then the values of a KV head; it serves as many of its query
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
    """Memory kind of scores and weights: ``block``, ``distributed``, ``ultra`` or None."""

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
        """Possible numbers of lanes per query head."""
        return lanes_per_head_choices(self.nodes)

    @property
    def sum_bits(self) -> int:
        """Width of a score's integer sum, signed."""
        return (self.dense.totals * self.dense.macs * PRODUCT).bit_length() + 1

    @property
    def scores(self) -> data.ArrayLayout:
        """Layout of the lanes' scores: base-2 logarithms with 9 fraction bits."""
        return data.ArrayLayout(signed(SCORE_BITS), self.nodes)

    @property
    def floats(self) -> data.ArrayLayout:
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def ancestors(self) -> data.ArrayLayout:
        """Layout of ancestor masks: bit j of element i is set if node i sees node j, also i = j."""
        return data.ArrayLayout(unsigned(self.nodes), self.nodes)

    @property
    def layer(self) -> data.StructLayout:
        """Layout of a layer's command: sweeps over ``base`` common positions, then the nodes'."""
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
        """Layout of a head sweep's command: ``rows`` of ``slices`` for the dense engine."""
        members = self.dense.command.members
        return data.StructLayout({"slices": members["full"], "rows": members["rows"]})

    @property
    def row_scales(self) -> data.StructLayout:
        """Layout of a position's key and value scale, bfloat16."""
        return data.StructLayout({"key": BFLOAT16_BITS, "value": BFLOAT16_BITS})

    @property
    def scored(self) -> data.StructLayout:
        """Layout of a position's scores and value scale."""
        return data.StructLayout({"scores": self.scores, "value_scale": BFLOAT16_BITS})

    @property
    def denominators(self) -> data.StructLayout:
        """Layout of a sweep's denominators: the lanes' sums L and largest exponents E, biased."""
        return data.StructLayout(
            {
                "sums": data.ArrayLayout(unsigned(DENOMINATOR_BITS), self.nodes),
                "exponents": data.ArrayLayout(unsigned(8), self.nodes),
            }
        )

    @property
    def output(self) -> data.StructLayout:
        """Layout of an output element of all nodes; ``last`` with a sweep's last."""
        return data.StructLayout({"values": self.floats, "last": 1})
