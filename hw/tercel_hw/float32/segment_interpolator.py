"""Linear interpolation in a table of segments: the heart of the elementary functions."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory

from tercel.numerics.functions import SIGNIFICAND_BITS as FRACTION_BITS
from tercel.numerics.functions import SLOPE_BITS, SegmentTable
from tercel_hw.float32.encoding import SIGNIFICAND_BITS
from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages

__all__ = ["SegmentInterpolator"]

SEGMENT_BITS = SIGNIFICAND_BITS + SLOPE_BITS
"""36 bits, the value below the slope: one word of a block RAM."""


class SegmentInterpolator(Primitive):
    """``SegmentTable.significand``; one a cycle, latency 4.

    The stages: memory; its output register; product; sum: one half of a block RAM, one DSP.

    Parameters
    ----------
    table
        Whose values fit 24 bits unsigned, as those of ``tercel.numerics.functions`` do.

    Members
    -------
    index : In(8)
    low : In(table.low_bits)
    o : Out(24)
        The significand, in units of 2^-23.

    Raises
    ------
    TypeError
        If ``table`` is none.
    ValueError
        If a value or a slope does not fit its field.
    """

    LATENCY = 4

    index: Signal
    low: Signal

    def __init__(self, table: SegmentTable):
        if not isinstance(table, SegmentTable):
            raise TypeError(f"table must be a SegmentTable, not {table!r}")
        segments = len(table.values)
        if segments & (segments - 1):
            raise ValueError(f"a table must have a power of two of segments, not {segments}")
        for name, column, bits in (
            ("values", table.values, SIGNIFICAND_BITS),
            ("slopes", table.slopes, SLOPE_BITS),
        ):
            low, high = int(column.min()), int(column.max())
            if low < 0 or high >> bits:
                raise ValueError(f"{name} must fit {bits} bits, not range from {low} to {high}")
        self._table = table
        index_bits = (segments - 1).bit_length()
        super().__init__({"index": index_bits, "low": table.low_bits}, FRACTION_BITS + 1)

    @property
    def table(self) -> SegmentTable:
        return self._table

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        table = self._table
        words = [
            int(value) | int(slope) << SIGNIFICAND_BITS
            for value, slope in zip(table.values, table.slopes, strict=True)
        ]
        m.submodules.table = segments = memory.Memory(
            shape=SEGMENT_BITS, depth=len(words), init=words, attrs={"rom_style": "block"}
        )
        port = segments.read_port()
        m.d.comb += [port.addr.eq(self.index), port.en.eq(self.enable)]
        value, slope = port.data[:SIGNIFICAND_BITS], port.data[SIGNIFICAND_BITS:]

        low = stages(low=self.low).low
        fetched = stages(value=value, slope=slope, low=low)
        multiplied = stages(value=fetched.value, product=fetched.slope * fetched.low)
        step = multiplied.product >> table.shift
        moved = multiplied.value - step if table.falling else multiplied.value + step
        m.d.comb += self.o.eq(stages(significand=moved[: len(self.o)]).significand)
        return m
