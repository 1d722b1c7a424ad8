"""The shape of a cache writer."""

from dataclasses import dataclass, field

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import exact_log2

from tercel_hw.memory import StripedWriterConfig
from tercel_hw.vector import VectorConfig

__all__ = ["BFLOAT16_BITS", "CacheConfig"]

BFLOAT16_BITS = 16
POSITION_BYTES = 4
"""A position's scales: the key's in the low half, the value's in the high half."""
PORT_BYTES = (8, 16)
"""Heads are multiples of 16 elements, so every row starts on a granule."""


@dataclass(frozen=True, kw_only=True)
class CacheConfig:
    """Shape of a :class:`CacheWriter`.

    Raises
    ------
    ValueError
        If the memory's word is not the vector unit's or its granules are not 8 or 16 bytes.
    """

    vector: VectorConfig = field(default_factory=VectorConfig)
    """Lanes and the largest head."""
    writer: StripedWriterConfig = field(default_factory=StripedWriterConfig)
    """That of the striped writer behind."""

    def __post_init__(self):
        if self.port_bytes not in PORT_BYTES:
            raise ValueError(f"port_bytes must be 8 or 16, not {self.port_bytes}")
        word = self.port_bytes * self.writer.ports
        if word != self.vector.word_bytes:
            raise ValueError(
                f"ports * port_bytes must be the word's bytes ({self.vector.word_bytes}), "
                f"but is {word}"
            )

    @property
    def port_bytes(self) -> int:
        """Bytes of a granule."""
        return self.writer.port_bytes

    @property
    def byte_bits(self) -> int:
        """Low bits of a byte's address within its granule."""
        return exact_log2(self.port_bytes)

    @property
    def head_granules(self) -> int:
        """Granules of the largest row."""
        return -(-self.vector.head_size // self.port_bytes)

    @property
    def positions(self) -> int:
        """Positions whose scales share a granule."""
        return self.port_bytes // POSITION_BYTES

    @property
    def position_bits(self) -> int:
        """Low bits of a position that place its scales within their granule."""
        return exact_log2(self.positions)

    @property
    def slices(self) -> int:
        """Slices of the largest row."""
        return -(-self.head_granules // self.writer.ports)

    @property
    def rows(self) -> data.StructLayout:
        """What to take of a head: the first ``nodes`` lanes, ``granules`` of each row, by slices.

        There are ``full`` ones of a word, then a ``half`` one.
        """
        return data.StructLayout(
            {
                "nodes": range(self.vector.nodes + 1),
                "granules": range(self.head_granules + 1),
                "full": range(self.slices + 1),
                "half": 1,
            }
        )

    @property
    def scales(self) -> data.ArrayLayout:
        """A bfloat16 of each lane."""
        return data.ArrayLayout(BFLOAT16_BITS, self.vector.nodes)

    @property
    def scale_rows(self) -> data.StructLayout:
        """A head's scales: the first ``nodes`` lanes, from ``place`` in the first granule on."""
        return data.StructLayout(
            {
                "scales": self.scales,
                "nodes": range(self.vector.nodes + 1),
                "place": unsigned(self.position_bits),
                "value": 1,
            }
        )

    @property
    def piece(self) -> data.StructLayout:
        """A granule to write and whether it is the ``last`` of its run."""
        return data.StructLayout({**self.writer.granule.members, "last": 1})
