"""Parameters of the attention unit."""

from dataclasses import dataclass

from amaranth.hdl import unsigned
from amaranth.lib import data

from tercel_hw.attention.config import AttentionConfig
from tercel_hw.attention.query_loader import query_column
from tercel_hw.checks import check_power_of_two
from tercel_hw.vector.config import command_layout

__all__ = ["MOST_NODES", "SCALES_BYTES", "AttentionUnitConfig"]

SCALES_BYTES = 4
"""Bytes of a position's scales: the key's and the value's."""
MOST_NODES = 16
"""Most lanes: the ancestor masks of a command are 16 by 16 bits."""
ADDRESS_BITS = 32
RUN_BITS = 24


@dataclass(frozen=True, kw_only=True)
class AttentionUnitConfig:
    """Parameters of an :class:`AttentionUnit`: all heads of a layer, one KV head at a time.

    A memory word is a beat of the dense engine.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    attention: AttentionConfig
    tile: int = 64
    """Positions of a tile, whose scales are read before its keys; two tiles are buffered."""

    def __post_init__(self):
        if not isinstance(self.attention, AttentionConfig):
            raise TypeError(f"attention must be an AttentionConfig, not {self.attention!r}")
        if self.attention.nodes > MOST_NODES:
            raise ValueError(f"nodes must be at most {MOST_NODES}, but are {self.attention.nodes}")
        least = max(self.word_positions, self.attention.dense.chain)
        check_power_of_two("tile", self.tile, least, self.attention.dense.tile)

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
        return query_column(self.attention)

    @property
    def row(self) -> data.StructLayout:
        """Layout of an output element of each lane; ``last`` on a layer's last."""
        return data.StructLayout({"values": self.attention.floats, "last": 1})

    @property
    def run(self) -> data.StructLayout:
        """Layout of a run: address and number of words to be read."""
        return data.StructLayout({"address": unsigned(ADDRESS_BITS), "words": unsigned(RUN_BITS)})

    @property
    def kind(self) -> data.StructLayout:
        """Layout of a run's kind: its number of words, and a flag if they are scales."""
        return data.StructLayout({"words": unsigned(RUN_BITS), "scales": 1})
