"""Rows of int8 in slices of a memory word."""

from dataclasses import dataclass

__all__ = ["Slices"]


@dataclass(frozen=True, kw_only=True)
class Slices:
    """How rows are cut for the dense engine, which takes a word of them at a time.

    A row has ``full`` slices of a word. What remains of it is a full slice too, or, if it is at
    most half a word, a half one: then a word holds the half slices of two rows. Slices of many rows
    lie one behind the other: all rows' first, all rows' second, ..., all rows' half ones.
    """

    word_bytes: int
    elements: int
    """Of a row."""

    @property
    def half(self) -> bool:
        """Whether there is a half slice."""
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
        """Words of that many rows."""
        return self.full * rows + self.half * (rows + 1) // 2

    def starts(self, rows: int) -> list[int]:
        """The first word of each slice of that many rows."""
        return [index * rows for index in range(self.count)]

    def sizes(self) -> list[int]:
        """Bytes of a row in each slice; what its elements do not fill means nothing."""
        return [self.word_bytes] * self.full + [self.word_bytes // 2] * self.half
