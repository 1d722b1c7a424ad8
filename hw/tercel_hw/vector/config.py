"""Parameters of the vector unit's blocks, and the layouts of their streams."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel.program import COMMANDS
from tercel_hw.checks import check_integer, check_power_of_two
from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["VectorConfig", "command_layout"]


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
    ultra_ram: bool = True
    """True if the memories of rows are UltraRAM, False if they are block RAM."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 16)
        check_integer("columns", self.columns, 16, 65535)
        check_integer("hidden", self.hidden, 16, self.columns)
        check_integer("head_size", self.head_size, 16, 1024)
        check_power_of_two("word_bytes", self.word_bytes, 8, 1024)
        check_integer("sum_bits", self.sum_bits, 9, 25)
        check_integer("group", self.group, 1, 16)
        if self.head_size % 16:
            raise ValueError(f"head_size must be a multiple of 16, not {self.head_size}")

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
    def word(self) -> int:
        """Bits of a memory word."""
        return 8 * self.word_bytes

    @property
    def word_floats(self) -> int:
        """Floats of a memory word."""
        return self.word_bytes // 4
