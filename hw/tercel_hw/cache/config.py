"""Parameters of the cache writer."""

from dataclasses import dataclass, field

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import exact_log2

from tercel_hw.memory import StripedWriterConfig
from tercel_hw.vector import VectorConfig

__all__ = ["BFLOAT16_BITS", "CacheConfig"]

BFLOAT16_BITS = 16
POSITION_BYTES = 4
"""Bytes of a position's scales: the key's in the low half, the value's in the high half."""
PORT_BYTES = (8, 16)
"""Supported granules: heads are multiples of 16 elements, so rows start on a granule."""


@dataclass(frozen=True, kw_only=True)
class CacheConfig:
    """Parameters of a :class:`CacheWriter`.

    Raises
    ------
    ValueError
        If the memory's word is not the vector unit's or its granules are not 8 or 16 bytes.
    """

    vector: VectorConfig = field(default_factory=VectorConfig)
    """Lanes and the largest head."""
    writer: StripedWriterConfig = field(default_factory=StripedWriterConfig)
    """Configuration of the striped writer that takes the rows."""

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
        """Width of a byte's address within its granule."""
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
        """Number of low bits of a position that place its scales within their granule."""
        return exact_log2(self.positions)

    @property
    def slices(self) -> int:
        """Slices of the largest row."""
        return -(-self.head_granules // self.writer.ports)

    @property
    def rows(self) -> data.StructLayout:
        """Layout of a head's rows to write: the first ``nodes`` lanes, ``granules`` of each row.

        A row has ``full`` slices of a word, then a ``half`` slice if that is set.
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
        """Layout of a bfloat16 scale of each lane."""
        return data.ArrayLayout(BFLOAT16_BITS, self.vector.nodes)

    @property
    def scale_rows(self) -> data.StructLayout:
        """Layout of a head's scales: the first ``nodes`` lanes, from ``place`` in a granule on."""
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
        """Layout of a granule to write; ``last`` on the last one of its run."""
        return data.StructLayout({**self.writer.granule.members, "last": 1})
