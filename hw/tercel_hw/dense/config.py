"""Parameters of the dense engine."""

from dataclasses import dataclass

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from tercel_hw.checks import check_integer, check_power_of_two

__all__ = ["TOTAL_BITS", "WEIGHT_BITS", "DenseConfig"]

WEIGHT_BITS = 17
"""Width of an axpy weight, unsigned."""
TOTAL_BITS = 37
"""Width of an axpy sum: (2^17 - 1) * 127 * rows is below 2^36 for up to 4128 rows."""
PRODUCT = 127 * 127
HALVES = 2


@dataclass(frozen=True, kw_only=True)
class DenseConfig:
    """Parameters of a dense engine.

    There is one multiplier, a DSP48E2 on UltraScale+, for each lane and byte of a beat. The
    multipliers of ``chain`` bytes form a chain, in which each adds to the previous one's sum.

    Rows and vectors are cut into *slices* of a beat each. The last slice of a row may be a *half*
    slice: then a beat holds the half slices of two rows.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    nodes: int = 8
    """Lanes, K: vectors that a beat is multiplied by."""
    macs: int = 64
    """Bytes of a beat: multiply-accumulates per lane and cycle."""
    chain: int = 16
    """Multipliers of a chain, at most half a beat; the fewest cycles of a dot's slice."""
    slices: int = 64
    """Capacity of a lane's vectors in slices."""
    tile: int = 64
    """Most rows of a dot's tile, whose sums are stored from slice to slice."""
    totals: int = 2
    """Slices of axpy sums that are stored until they are read; the most of a command."""
    rows: int = 1 << 17
    """Most rows of a command."""

    def __post_init__(self):
        check_integer("nodes", self.nodes, 1, 64)
        check_power_of_two("macs", self.macs, 16, 256)
        check_power_of_two("chain", self.chain, 4, self.macs // HALVES)
        check_integer("slices", self.slices, 1, 1 << 12)
        check_power_of_two("tile", self.tile, self.chain, 1 << 10)
        check_integer("totals", self.totals, 1, 64)
        check_integer("rows", self.rows, 1, 1 << 20)

    @property
    def chains(self) -> int:
        """Number of chains of a lane."""
        return self.macs // self.chain

    @property
    def sum_bits(self) -> int:
        """Width of a dot product."""
        return (self.slices * self.macs * PRODUCT).bit_length() + 1

    @property
    def beat(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(8), self.macs)

    @property
    def column(self) -> data.StructLayout:
        """Layout of a vector element: byte ``index`` of a slice, for the lanes set in ``lanes``."""
        return data.StructLayout(
            {
                "slice": range(self.slices),
                "index": range(self.macs),
                "half": 1,
                "lanes": unsigned(self.nodes),
                "values": data.ArrayLayout(signed(8), self.nodes),
            }
        )

    @property
    def command(self) -> data.StructLayout:
        """Layout of a sweep over rows of ``full`` slices and, if ``half``, a half slice."""
        return data.StructLayout(
            {
                "axpy": 1,
                "rows": range(self.rows + 1),
                "full": range(self.slices + 1),
                "half": 1,
                "tile": range(self.tile + 1),
                "slice": range(self.slices),
            }
        )

    @property
    def sums(self) -> data.ArrayLayout:
        """Layout of a row's dot products, one a lane."""
        return data.ArrayLayout(signed(self.sum_bits), self.nodes)

    @property
    def weights(self) -> data.ArrayLayout:
        """Layout of an axpy beat's weights: those of the rows in its lower and upper half."""
        return data.ArrayLayout(data.ArrayLayout(unsigned(WEIGHT_BITS), self.nodes), HALVES)

    @property
    def chain_totals(self) -> data.ArrayLayout:
        """Layout of the sums of one cell of all chains."""
        lanes = data.ArrayLayout(signed(TOTAL_BITS), self.nodes)
        return data.ArrayLayout(lanes, self.chains)

    @property
    def read(self) -> data.StructLayout:
        """Layout of a read of an axpy sweep's totals: all ``elements``, ``head_slots`` times."""
        return data.StructLayout(
            {
                "elements": range(self.totals * self.macs + 1),
                "full": range(self.totals + 1),
                "half": 1,
                "head_slots": range(self.nodes + 1),
            }
        )

    @property
    def totals_read(self) -> data.StructLayout:
        """Layout of the totals of an element of all lanes."""
        return data.StructLayout(
            {
                "sums": data.ArrayLayout(signed(TOTAL_BITS), self.nodes),
                "head_slot": range(self.nodes),
                "last": 1,
            }
        )
