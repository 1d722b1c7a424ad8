"""Parameters of the TLMM engine, and its latencies and durations."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from tercel.image import CODES, Chunks, TapeLayout, WeightCode
from tercel.image.layout import CODES_A_GROUP
from tercel.image.multiplier import MOST_MULTIPLIER, multiplier_bytes
from tercel.numerics import GROUP
from tercel.numerics.blocks import MOST_SHIFT
from tercel.numerics.linear import EXACT
from tercel_hw.tlmm.adder_levels import tree_latency
from tercel_hw.tlmm.chain_latency import chain_latency

__all__ = ["TLMM", "TlmmConfig"]

PARTS = {"base3": (3, 2), "index5": (3,)}
"""Trits of the parts of each code; every part has its own table."""
ACTIVATION = 127
"""Largest magnitude of an activation."""
TABLE_WORDS = 32
"""Words of a lookup table used as memory."""
BLOCK_CODES = CODES_A_GROUP // 2
"""Codes of a block, half a group: 64 columns and a trit that is zero."""
GROUP_COLUMNS = 16384
"""Widest matrix with groups."""


@dataclass(frozen=True, kw_only=True)
class TlmmConfig:
    """Parameters of the ternary table-lookup matmul engine; the defaults are the kv260's.

    Raises
    ------
    TypeError
        If a field is not of its type.
    ValueError
        If a field breaks its rule; the message quotes the field and its value.
    """

    code: str = "base3"
    """Weight code: ``base3`` or ``index5``."""
    tables: int = 77
    """Weight codes taken a cycle."""
    nodes: int = 8
    """Lanes K that share every weight."""
    block_rows: int = 512
    """Rows of a block: the accumulators."""
    generators: int = 4
    """Codes whose tables are filled at a time, at most ``entries`` and ``tables``."""
    max_columns: int = 16384
    """Widest matrix; sets the width of the sums."""
    groups: int = 0
    """Groups of 128 columns in a row-chunk of a grouped matrix; 0 if there are no such matrices."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            kind, name = (str, "a string") if field.name == "code" else (int, "an integer")
            if isinstance(value, bool) or not isinstance(value, kind):
                raise TypeError(f"{field.name} must be {name}, not {value!r}")
        if self.code not in CODES:
            raise ValueError(f"code must be one of {', '.join(CODES)}, not {self.code!r}")
        limits = {
            "tables": 1024,
            "nodes": 64,
            "block_rows": 65536,
            "generators": min(self.entries, self.tables),
            "max_columns": GROUP_COLUMNS if self.groups else (EXACT - 1) // ACTIVATION,
        }
        for name, most in limits.items():
            if not 1 <= (value := getattr(self, name)) <= most:
                raise ValueError(f"{name} must be in 1..{most}, not {value}")
        if self.groups:
            self._check_groups()

    def _check_groups(self):
        most = 1024 // CODES_A_GROUP
        if not 0 <= self.groups <= most:
            raise ValueError(f"groups must be in 0..{most}, not {self.groups}")
        if self.code != "base3":
            raise ValueError(f"code must be base3 if there are groups, not {self.code!r}")
        if self.tables != (needed := CODES_A_GROUP * self.groups):
            raise ValueError(
                f"tables must be {needed} with {self.groups} groups of {CODES_A_GROUP} codes, "
                f"not {self.tables}"
            )

    @property
    def weight_code(self) -> WeightCode:
        return CODES[self.code]

    @property
    def layout(self) -> TapeLayout:
        """Layout of a tape that this engine plays; the engine does not depend on its ports."""
        return TapeLayout(code=self.code, tables=self.tables, block_rows=self.block_rows)

    def chunks(self, columns: int) -> Chunks:
        """Return the cut of a matrix of ``columns`` columns into chunks.

        Raises
        ------
        ValueError
            If the matrix is wider than the sums allow.
        """
        if not 1 <= columns <= self.max_columns:
            raise ValueError(f"columns must be in 1..{self.max_columns}, not {columns}")
        return self.layout.chunks(columns)

    def command(self, rows: int, columns: int, *, grouped: bool = False) -> dict[str, int]:
        """Return the fields of a matrix's command; the last two only concern engines with groups.

        Raises
        ------
        ValueError
            If the engine does not play such a matrix.
        """
        chunks = self.chunks(columns)
        count, codes, last = chunks.count, chunks.codes, chunks.codes
        if grouped:
            if not self.groups:
                raise ValueError("grouped needs an engine with groups, but groups is 0")
            groups = -(-columns // GROUP)
            count = -(-groups // self.groups)
            codes = CODES_A_GROUP * min(groups, self.groups)
            last = CODES_A_GROUP * (groups - (count - 1) * self.groups)
        fields = {"rows": rows, "chunks": count, "codes": codes, "last_codes": last}
        return {**fields, "grouped": int(grouped)}

    @property
    def parts(self) -> tuple[int, ...]:
        """Trits of each part of a code; every part has its own table."""
        return PARTS[self.code]

    @property
    def halved(self) -> tuple[bool, ...]:
        """For each part, True if its table holds half of the sums; the others are their negatives.

        A table is halved if both banks would not fit the words of a lookup table otherwise: sums
        with a sign make the adder tree larger.
        """
        return tuple(2 * 3**trits > TABLE_WORDS for trits in self.parts)

    @property
    def sums(self) -> tuple[int, ...]:
        """Entries in the table of each part without entry 0, which is zero."""
        return tuple(
            3**trits // 2 if half else 3**trits - 1
            for trits, half in zip(self.parts, self.halved, strict=True)
        )

    @property
    def entries(self) -> int:
        """Entries of the largest table of a code, and cycles to fill it."""
        return max(self.sums)

    @property
    def sum_bits(self) -> int:
        """Bits of a signed row sum."""
        if not self.groups:
            return (self.max_columns * ACTIVATION).bit_length() + 1
        groups = -(-self.max_columns // GROUP)
        return (groups * GROUP * (ACTIVATION << MOST_SHIFT) * MOST_MULTIPLIER).bit_length() + 1

    @property
    def total_bits(self) -> int:
        """Bits of the signed total of a row-chunk."""
        if not self.groups:
            return sum(self.peaks).bit_length() + 1
        return (self.groups * self.group_peak * MOST_MULTIPLIER).bit_length() + 1

    @property
    def group_peak(self) -> int:
        """Largest magnitude of a group's sum, also on a corrupt tape."""
        return sum(self.peaks) // self.groups << MOST_SHIFT

    @property
    def group_bits(self) -> int:
        """Bits of a group's signed sum."""
        return self.group_peak.bit_length() + 1

    @property
    def blocks(self) -> int:
        """Blocks of 64 columns in a row-chunk of a grouped matrix."""
        return 2 * self.groups

    @property
    def chunk_bytes(self) -> int:
        """Bytes of the longest row-chunk."""
        return self.weight_code.packed_bytes(self.tables) + multiplier_bytes(self.groups)

    @property
    def peaks(self) -> tuple[int, ...]:
        """Largest magnitude of each term of a row-chunk: parts of code 0, of code 1, and so on."""
        return tuple(trits * ACTIVATION for trits in self.parts) * self.tables

    @property
    def latency(self) -> int:
        """Cycles from the row-chunk that completes a row to the transfer of the row's sum.

        Lookup, sum of the terms, accumulator 2, output queue 1.
        """
        return LOOKUP + self.term_latency + 3

    @property
    def term_latency(self) -> int:
        """Cycles from the terms of a row-chunk to its total.

        Each level of an adder tree 1; with groups that of a block, chains of 2 and of `groups`.
        """
        if not self.groups:
            return self.tree_latency(self.tables)
        return self.group_latency + chain_latency(self.groups)

    @property
    def group_latency(self) -> int:
        """Cycles from the terms of a row-chunk to the sums of its groups."""
        return self.block_latency + chain_latency(2)

    @property
    def block_latency(self) -> int:
        """Cycles from the terms of a row-chunk to the sums of its blocks."""
        return self.tree_latency(BLOCK_CODES)

    def tree_latency(self, codes: int) -> int:
        """Return the cycles of the adder tree of the terms of this many codes."""
        with_sign = sum(self.halved) * codes
        return tree_latency(plain=len(self.parts) * codes - with_sign, with_sign=with_sign)

    def fill_cycles(self, codes: int) -> int:
        """Return the cycles from the first group of a chunk of ``codes`` codes to its first use.

        A fill is hidden behind the use of the other bank if this is at most the rows of the block.
        """
        rounds, odd = divmod(codes - 1, self.generators)
        return rounds * self.entries + odd + self.entries + 1

    def cycles(self, rows: int, columns: int, *, grouped: bool = False) -> int:
        """Return the cycles from the transfer of a matrix's command to that of its last sum.

        Exact if groups, codes and sums never stall and the engine was idle.
        """
        return self.finish_cycles([(rows, columns, grouped)])[0]

    def finish_cycles(self, shapes: Iterable[tuple[int, int] | tuple[int, int, bool]]) -> list[int]:
        """Return the cycle in which the last sum of each matrix leaves, for successive commands.

        Counted from the first command's transfer; exact if no stream stalls the engine.

        Parameters
        ----------
        shapes
            ``(rows, columns)`` or ``(rows, columns, grouped)`` of the matrices.
        """
        finished = []
        command = 0  # The cycle in which the command is transferred.
        fill = 0  # The earliest cycle for the first group of the next chunk.
        free = [0, 0]  # The first cycle in which each bank may be filled.
        first = last = -SAME_ROW  # The first and the last row-chunk of the chunk in use.
        for rows, columns, *grouped in shapes:
            chunks = self.command(rows, columns, grouped=any(grouped))
            widths = (*[chunks["codes"]] * (chunks["chunks"] - 1), chunks["last_codes"])
            fill = max(fill, command + 1)
            loaded = max(command + 1, last)
            accepted = command
            for start in range(0, rows, self.block_rows):
                for codes in widths:
                    fill = max(fill, free[0])
                    rounds, odd = divmod(codes - 1, self.generators)
                    accepted = fill + rounds * self.entries + odd
                    full = fill + self.fill_cycles(codes)
                    fill = max(accepted + 1, fill + (rounds + 1) * self.entries)
                    first = max(full, last + 1, first + SAME_ROW, loaded + 1)
                    last = first + min(self.block_rows, rows - start) - 1
                    free = [free[1], last + 1]
            finished.append(last + self.latency)
            command = max(accepted, loaded) + 1
        return finished


LOOKUP = 3
"""Cycles from a row-chunk to its terms: a register, the decoder and the tables."""
SAME_ROW = 3
"""Cycles between two row-chunks of one row: the accumulator's read, add and write."""

TLMM = {
    "tiny": TlmmConfig(tables=4, nodes=2, block_rows=8, generators=2, max_columns=256),
    "kv260": TlmmConfig(),
    "kv260-index5": TlmmConfig(code="index5", tables=128),
}
