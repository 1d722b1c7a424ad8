"""The shape of the attention unit."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.memory.checks import check_integer, check_power_of_two
from tercel_hw.vector.config import command_layout

__all__ = ["SCALES_BYTES", "AttentionUnitConfig"]

SCALES_BYTES = 4
"""Of a position: the key's scale and the value's."""
MOST_NODES = 16
"""The ancestors of a command are 16 by 16."""
ADDRESS_BITS = 32
RUN_BITS = 24


@dataclass(frozen=True, kw_only=True)
class AttentionUnitConfig:
    """Shape of an attention unit: all heads of a layer, one KV head at a time.

    A memory word is a beat of the dense engine.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    attention: AttentionConfig
    """Its dense engine must not be packed."""
    query_columns: int = 4096
    """Capacity of the queries of a pass; a command needs ``query heads * head size``."""
    query_heads: int = 64
    """Capacity of their scales."""
    tile: int = 64
    """Positions whose scales are read before their keys; two tiles of scales are kept."""

    def __post_init__(self):
        if not isinstance(self.attention, AttentionConfig):
            raise TypeError(f"attention must be an AttentionConfig, not {self.attention!r}")
        if self.attention.dense.packed:
            raise ValueError("the dense engine's packed must be False, not True")
        if self.attention.nodes > MOST_NODES:
            raise ValueError(f"nodes must be at most {MOST_NODES}, but are {self.attention.nodes}")
        check_integer("query_columns", self.query_columns, 16, 1 << 16)
        check_integer("query_heads", self.query_heads, 2, 255)
        check_power_of_two("tile", self.tile, self.word_positions, 1 << 12)

    @property
    def word_bytes(self) -> int:
        return self.attention.dense.macs

    @property
    def word_positions(self) -> int:
        """Positions whose scales a word holds."""
        return self.word_bytes // SCALES_BYTES

    @property
    def tile_scale_words(self) -> int:
        """Words of a tile's scales."""
        return self.tile // self.word_positions

    @property
    def command(self) -> data.StructLayout:
        return command_layout("attention")

    @property
    def column(self) -> data.StructLayout:
        """An element of a query of each lane; ``last`` with its head's last."""
        values = data.ArrayLayout(signed(8), self.attention.nodes)
        return data.StructLayout({"values": values, "last": 1})

    @property
    def row(self) -> data.StructLayout:
        """An element of the output of each lane; ``last`` with the very last."""
        return data.StructLayout({"values": self.attention.floats, "last": 1})

    @property
    def run(self) -> data.StructLayout:
        """Words to be read."""
        return data.StructLayout({"address": unsigned(ADDRESS_BITS), "words": unsigned(RUN_BITS)})

    @property
    def kind(self) -> data.StructLayout:
        """How many words of a run will come, and whether they are scales."""
        return data.StructLayout({"words": unsigned(RUN_BITS), "scales": 1})
