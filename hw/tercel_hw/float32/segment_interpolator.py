"""Linear interpolation in a table of segments: the heart of the elementary functions."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import memory

from tercel.numerics.functions import SIGNIFICAND_BITS as FRACTION_BITS
from tercel.numerics.functions import SLOPE_BITS, SegmentTable
from tercel_hw.float32.encoding import SIGNIFICAND_BITS
from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import ALUMODE, XY, Z, opmode
from tercel_hw.target import Target

__all__ = ["SegmentInterpolator"]

SEGMENT_BITS = SIGNIFICAND_BITS + SLOPE_BITS
"""Width of a segment, 36 bits: the value below the slope, one word of a block RAM."""


class SegmentInterpolator(Primitive):
    """``SegmentTable.significand``; one a cycle, latency 4.

    Stages: memory; its output register; product; sum. It takes half a block RAM and one DSP48E2,
    which multiplies and adds.

    Parameters
    ----------
    table
        Table of segments whose values fit 24 bits, unsigned.

    Members
    -------
    index : In(8)
    low : In(table.low_bits)
    o : Out(24)
        The significand, in units of 2^-23.

    Raises
    ------
    TypeError
        If ``table`` is no segment table.
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
        # The step is rounded down before it is subtracted: ones below a falling value.
        ones = (1 << table.shift) - 1 if table.falling else 0
        wide = Cat(Const(ones, table.shift), stages(value=value).value)
        if platform is Target.ULTRASCALE_PLUS:
            moved = self._cell(m, wide, slope, low)
        else:
            fetched = stages(slope=slope, low=low)
            multiplied = stages(value=wide, step=fetched.slope * fetched.low)
            value, step = multiplied.value, multiplied.step
            moved = stages(moved=value - step if table.falling else value + step).moved
        m.d.comb += self.o.eq(moved[table.shift :])
        return m

    def _cell(self, m: Module, value: Value, slope: Value, low: Value) -> Value:
        """Add a DSP48E2 of the value, a cycle after slope and low, plus or minus their product."""
        moved = Signal(P_BITS)
        enables = ("CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CEM", "CEP")
        m.submodules.cell = dsp48e2(
            attributes={},
            inputs={
                "A": low,
                "B": slope,
                "C": value,
                "OPMODE": opmode(xy=XY.M, z=Z.C),
                "ALUMODE": Value.cast(ALUMODE.SUBTRACT if self._table.falling else ALUMODE.ADD),
                **dict.fromkeys(enables, self.enable),
            },
            P=moved,
        )
        return moved
