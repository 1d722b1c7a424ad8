"""Layout of the tape in the memory of a board."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel.image.code import BASE3, CODES, INDEX5, WeightCode
from tercel.json_dataclass import JsonDataclass

__all__ = [
    "CODES_A_GROUP",
    "LAYOUTS",
    "ROW_BLOCK",
    "SCALARS",
    "Chunks",
    "TapeLayout",
    "default_layout",
    "padded_rows",
]

SCALARS = 16
"""Float32 scalars at the start of a vector segment."""
ROW_BLOCK = 16
"""Rows of a row block: int8 rows with their scales before them."""
CODES_A_GROUP = 26
"""Base-3 codes of a group of 128 columns: 13 for each 64."""


def padded_rows(rows: int) -> int:
    """``rows`` rounded up to whole row blocks."""
    return -(-rows // ROW_BLOCK) * ROW_BLOCK


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The division of the rows of a ternary matrix into row-chunks."""

    count: int
    """Row-chunks in a row."""
    codes: int
    """Weight codes in a row-chunk."""
    bytes: int
    """Bytes of a row-chunk."""


@dataclass(frozen=True, kw_only=True)
class TapeLayout(JsonDataclass):
    """The parameters of a tape; the defaults are those of the kv260.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    WHAT: ClassVar[str] = "tape layout"

    code: str = "base3"
    """Weight code: ``base3`` or ``index5``."""
    tables: int = 77
    """Most codes in a row-chunk: the lookup tables of the engine."""
    ports: int = 4
    """Memory ports over which every word is striped."""
    port_bytes: int = 16
    """Bytes of a word on one port: a power of two from 4 to 128."""
    block_rows: int = 512
    """Rows of a block of a ternary matrix: the accumulators of the engine."""

    def __post_init__(self):
        if self.code not in CODES:
            raise TercelError(f"code must be one of {', '.join(CODES)}, not {self.code!r}")
        for field, most in (("tables", 1024), ("ports", 16), ("block_rows", 65536)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise TercelError(f"{field} must be an integer in 1..{most}, not {value!r}")
        if self.port_bytes not in (4, 8, 16, 32, 64, 128) or not isinstance(self.port_bytes, int):
            raise TercelError(
                f"port_bytes must be a power of two from 4 to 128, not {self.port_bytes!r}"
            )

    @property
    def weight_code(self) -> WeightCode:
        return CODES[self.code]

    @property
    def groups(self) -> int:
        """Most groups of 128 columns in a row-chunk; 0 if the layout holds none."""
        return self.tables // CODES_A_GROUP if self.code == BASE3.name else 0

    @property
    def word_bytes(self) -> int:
        """Bytes of a word, over all ports."""
        return self.ports * self.port_bytes

    def words(self, count: int) -> int:
        """Words that hold ``count`` bytes."""
        return -(-count // self.word_bytes)

    def padded(self, count: int) -> int:
        """``count`` bytes rounded up to whole words."""
        return self.words(count) * self.word_bytes

    def chunks(self, columns: int) -> Chunks:
        """The equally wide row-chunks of a matrix of ``columns`` columns."""
        groups = -(-columns // self.weight_code.group)
        count = -(-groups // self.tables)
        codes = -(-groups // count)
        return Chunks(count=count, codes=codes, bytes=self.weight_code.packed_bytes(codes))

    def row_block(self, columns: int) -> np.dtype:
        """The dtype of a row block: ``scales`` ``[16]``, ``slices`` ``[words, 16, word bytes]``.

        The first slice of all 16 rows comes first, then the second of all, and so on.
        """
        scale_bytes, shape = self.padded(4 * ROW_BLOCK), (self.words(columns), ROW_BLOCK)
        return np.dtype(
            {
                "names": ["scales", "slices"],
                "formats": [("<f4", (ROW_BLOCK,)), ("i1", (*shape, self.word_bytes))],
                "offsets": [0, scale_bytes],
                "itemsize": scale_bytes + ROW_BLOCK * self.padded(columns),
            }
        )


LAYOUTS = {
    "kv260": TapeLayout(),
    "kv260-index5": TapeLayout(code=INDEX5.name, tables=INDEX5.tables),
    "kv260-groups": TapeLayout(tables=3 * CODES_A_GROUP),
}


def default_layout(config: ModelConfig) -> TapeLayout:
    """The layout of a model's tape if its accelerator is not known: one that plays the model."""
    return LAYOUTS["kv260-groups" if config.version_3_parts else "kv260"]
