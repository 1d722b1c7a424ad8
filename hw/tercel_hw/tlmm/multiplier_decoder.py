"""The decoder of the multipliers of a row-chunk."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel.image.layout import CODES_A_GROUP
from tercel.image.multiplier import BITS, FRACTION_BITS, multiplier_bytes
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import codes_layout, multipliers_layout

__all__ = ["MultiplierDecoder"]


class MultiplierDecoder(wiring.Component):
    """Decodes the multipliers of a row-chunk; those of a matrix without groups are 1.

    A multiplier is ``f`` if its exponent ``e`` is 0, otherwise ``(256 + f) << (e - 1)``. In a
    row-chunk of n groups the first one is in the lowest bits behind ``n * CODES_A_GROUP`` codes;
    bits above the last one, up to the end of its byte, are zeros.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    codes : In
        The row-chunk.
    active : In
        A bit for each of its groups that the matrix uses, from the first on.
    grouped : In
        The matrix has groups.
    multipliers : Out
        Of each group, `LATENCY` cycles later; any value for a group that is not used.
    corrupt : Out
        A bit above the multipliers is set; a cycle later.
    """

    LATENCY = 2

    codes: data.View
    active: Signal
    grouped: Signal
    multipliers: data.View
    corrupt: Signal

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        super().__init__(
            {
                "codes": In(codes_layout(config)),
                "active": In(config.groups),
                "grouped": In(1),
                "multipliers": Out(multipliers_layout(config)),
                "corrupt": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        groups = self._config.groups
        bits = self.codes.as_value()
        packed = Signal(BITS * groups, reset_less=True)
        grouped = Signal(reset_less=True)
        m.d.sync += grouped.eq(self.grouped)
        for count in range(1, groups + 1):
            with m.If(self.active[count - 1]):
                start = 8 * CODES_A_GROUP * count
                used = BITS * count
                above = bits[start + used : start + 8 * multiplier_bytes(count)]
                m.d.sync += packed.eq(bits[start : start + used])
                m.d.sync += self.corrupt.eq(self.grouped & above.any())
        for group in range(groups):
            code = packed.word_select(group, BITS)
            decoded = Signal(self.multipliers[group].shape(), name=f"multiplier_{group}")
            m.d.sync += decoded.eq(Mux(grouped, _multiplier(code), 1))
            m.d.comb += self.multipliers[group].eq(decoded)
        return m


def _multiplier(code: Value) -> Value:
    fraction, exponent = code[:FRACTION_BITS], code[FRACTION_BITS:]
    large = Cat(fraction, 1)
    return Mux(exponent == 0, fraction, large << Mux(exponent == 0, 0, exponent - 1)[:2])
