"""Slices of int8 rows in memory words."""

from dataclasses import dataclass

__all__ = ["Slices"]


@dataclass(frozen=True, kw_only=True)
class Slices:
    """The slices of rows for the dense engine, which takes one word at a time.

    A row has ``full`` slices of a word each. A rest of at most half a word is a half slice, and a
    word holds the half slices of two rows; a longer rest is a full slice. Rows are stored slice by
    slice: the first slice of all rows, then the second of all, and so on, half slices last.
    """

    word_bytes: int
    elements: int
    """Elements of a row."""

    @property
    def half(self) -> bool:
        """True if a row has a half slice."""
        return 0 < self.elements % self.word_bytes <= self.word_bytes // 2

    @property
    def full(self) -> int:
        """Number of full slices."""
        return self.elements // self.word_bytes if self.half else self.count

    @property
    def count(self) -> int:
        """Number of slices."""
        return -(-self.elements // self.word_bytes)

    def words(self, rows: int) -> int:
        """Words of ``rows`` rows."""
        return self.full * rows + self.half * (rows + 1) // 2

    def starts(self, rows: int) -> list[int]:
        """First word of each slice, for ``rows`` rows."""
        return [index * rows for index in range(self.count)]

    def sizes(self) -> list[int]:
        """Bytes of a row in each slice; bytes beyond its elements are undefined."""
        return [self.word_bytes] * self.full + [self.word_bytes // 2] * self.half
