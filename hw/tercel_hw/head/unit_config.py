"""Parameters of the head unit."""

from dataclasses import dataclass

from amaranth.hdl import signed
from amaranth.lib import data

from tercel.image.layout import ROW_BLOCK
from tercel_hw.dense import DenseConfig
from tercel_hw.float32.primitive import FLOAT32_BITS
from tercel_hw.head.config import HeadConfig

__all__ = ["HeadUnitConfig"]


@dataclass(frozen=True, kw_only=True)
class HeadUnitConfig:
    """Parameters of a head unit; a word of the tape is a beat of the dense engine.

    Raises
    ------
    TypeError, ValueError
        If a field breaks its rule.
    """

    head: HeadConfig
    dense: DenseConfig
    """The attention's dense engine, which the unit uses."""

    def __post_init__(self):
        for name, kind in ("head", HeadConfig), ("dense", DenseConfig):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")
        if self.head.nodes != self.dense.nodes:
            raise ValueError(
                f"nodes must be the same, but the head has {self.head.nodes} "
                f"and the dense engine {self.dense.nodes}"
            )
        if self.head.sum_bits != self.dense.sum_bits:
            raise ValueError(
                f"sum_bits must be those of the dense engine ({self.dense.sum_bits}), "
                f"but are {self.head.sum_bits}"
            )
        if self.head.played_rows > self.dense.rows:
            raise ValueError(
                f"rows of the head in whole blocks of {ROW_BLOCK} must not exceed the dense "
                f"engine's rows ({self.dense.rows}), but are {self.head.played_rows}"
            )

    @property
    def word(self) -> int:
        """Bits of a memory word."""
        return 8 * self.dense.macs

    @property
    def word_scales(self) -> int:
        """Row scales in a word; the last word of a block is padded."""
        return min(self.word // FLOAT32_BITS, ROW_BLOCK)

    @property
    def scale_words(self) -> int:
        """Words of row scales before the rows of a block."""
        return ROW_BLOCK // self.word_scales

    @property
    def block_bits(self) -> int:
        """Bits of the number of words of a row block."""
        return (self.scale_words + ROW_BLOCK * self.dense.slices).bit_length()

    @property
    def column(self) -> data.StructLayout:
        """Layout of an element of the activations; ``last`` with the last."""
        values = data.ArrayLayout(signed(8), self.head.nodes)
        return data.StructLayout({"values": values, "last": 1})

    @property
    def sweep(self) -> data.StructLayout:
        """Layout of the dense engine's command for a head sweep."""
        command = self.dense.command.members
        return data.StructLayout({"slices": command["full"], "rows": command["rows"]})

    @property
    def group(self) -> data.StructLayout:
        """Layout of a group of listed rows, which are played together: their number."""
        return data.StructLayout({"rows": range(ROW_BLOCK + 1), "last": 1})
