"""Parameters of the vector unit's blocks, and the layouts of their streams."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from tercel.image import CODES
from tercel.numerics.blocks import BLOCK, MOST_SHIFT
from tercel.program import COMMANDS
from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["VectorConfig", "command_layout"]

SUM_BITS = 25
GROUPED_SUM_BITS = 40
"""Most bits of a sum with groups: that of 16384 columns."""
NORMED_HEAD = 256
"""Elements of the largest head whose norm fits: two for each of the golden order's partial sums."""


def command_layout(name: str) -> data.StructLayout:
    """Return the layout of a program's command (`tercel.program.COMMANDS`)."""
    return data.StructLayout(
        {field: unsigned(width) for field, width in COMMANDS[name].fields.items()}
    )


@dataclass(frozen=True, kw_only=True)
class VectorConfig:
    """Parameters of the vector unit: K lanes in lockstep, one element a cycle.

    Raises
    ------
    TypeError
        If ``grouped`` or ``qk_norm`` is no boolean.
    ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K."""
    columns: int = 8192
    """Widest row: the input of a linear."""
    hidden: int = 4096
    """Widest residual stream."""
    head_size: int = 128
    """Elements of the largest attention head."""
    word_bytes: int = 64
    """Bytes of a memory word."""
    sum_bits: int = 22
    """Bits of a ternary row sum."""
    group: int = 5
    """Activations of a weight code."""
    grouped: bool = False
    """True for an accelerator that plays matrices with groups: then quantised rows have a shift
    for each block of 64 columns, and rows of a matrix may have a scale each."""
    ultra_ram: bool = True
    """True if the memories of rows are UltraRAM, False if they are block RAM."""
    qk_norm: bool = False
    """True if heads of queries and keys can be normed before they are rotated."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 16)
        check_integer("columns", self.columns, 16, 65535)
        check_integer("hidden", self.hidden, 16, self.columns)
        check_integer("head_size", self.head_size, 16, 1024)
        check_power_of_two("word_bytes", self.word_bytes, 8, 1024)
        if not isinstance(self.grouped, bool):
            raise TypeError(f"grouped must be true or false, not {self.grouped!r}")
        widest = GROUPED_SUM_BITS if self.grouped else SUM_BITS
        check_integer("sum_bits", self.sum_bits, 9, widest)
        check_integer("group", self.group, 1, 16)
        if self.grouped and self.group != (group := CODES["base3"].group):
            raise ValueError(f"group must be {group} if grouped, not {self.group}")
        if self.head_size % 16:
            raise ValueError(f"head_size must be a multiple of 16, not {self.head_size}")
        if not isinstance(self.qk_norm, bool):
            raise TypeError(f"qk_norm must be true or false, not {self.qk_norm!r}")
        if self.qk_norm:
            check_integer("head_size with qk_norm", self.head_size, 16, NORMED_HEAD)

    @property
    def ram_style(self) -> str:
        """Kind of the memories of rows."""
        return "ultra" if self.ultra_ram else "block"

    @property
    def floats(self) -> data.ArrayLayout:
        """Layout of a float32 of each lane."""
        return data.ArrayLayout(FLOAT32_BITS, self.nodes)

    @property
    def row(self) -> data.StructLayout:
        """Layout of a float32 row's element of each lane; ``last`` with the row's last."""
        return data.StructLayout({"values": self.floats, "last": 1})

    @property
    def column(self) -> data.StructLayout:
        """Layout of an int8 row's element of each lane; ``last`` with the row's last."""
        return data.StructLayout({"values": data.ArrayLayout(signed(8), self.nodes), "last": 1})

    @property
    def block_codes(self) -> int:
        """Weight codes of a block of columns, the last of which may have fewer activations."""
        return -(-BLOCK // self.group)

    @property
    def shifts(self) -> data.ArrayLayout:
        """Layout of the shifts of a block of columns, one a lane."""
        return data.ArrayLayout(unsigned(bits_for(MOST_SHIFT)), self.nodes)

    @property
    def shifted_column(self) -> data.StructLayout:
        """Layout of a column from the row quantiser; if grouped, with its block's shifts."""
        if not self.grouped:
            return self.column
        values, last = self.column.members.values()
        return data.StructLayout({"values": values, "shifts": self.shifts, "last": last})

    @property
    def word(self) -> int:
        """Bits of a memory word."""
        return 8 * self.word_bytes

    @property
    def word_floats(self) -> int:
        """Floats of a memory word."""
        return self.word_bytes // 4
