"""Weight codes to table lookups."""

from itertools import pairwise

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel.image import WeightCode
from tercel_hw.config import TlmmConfig
from tercel_hw.tlmm.layouts import lookup_layout

__all__ = ["CodeDecoder", "balanced_parts"]


def balanced_parts(code: WeightCode, parts: tuple[int, ...]) -> np.ndarray:
    """The golden decoder: ``[codes, parts]`` balanced ternary numbers ``sum(t_i * 3**i)``."""
    trits = code.decode(np.arange(code.size, dtype=np.uint8)[:, None]).astype(int)
    ends = np.cumsum((0, *parts))
    return np.stack(
        [trits[:, start:end] @ 3 ** np.arange(end - start) for start, end in pairwise(ends)],
        axis=1,
    )


class CodeDecoder(wiring.Component):
    """One weight code to one lookup a part; without registers.

    The trits of a part as a balanced ternary number: its magnitude is the table's entry, its sign
    the sign of the sum. So the code of zeros looks up entry 0 of every table, which is zero.

    Parameters
    ----------
    config
        The engine.

    Members
    -------
    code : In
        The weight code.
    lookups : Out
        One lookup a part; of a corrupt code they mean nothing.
    corrupt : Out
        The code is none of the valid ones.
    """

    code: Signal
    lookups: data.View
    corrupt: Signal

    def __init__(self, *, config: TlmmConfig):
        self._config = config
        lookups = data.ArrayLayout(lookup_layout(config), len(config.parts))
        super().__init__(
            {"code": In(config.weight_code.bits), "lookups": Out(lookups), "corrupt": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        code = self._config.weight_code
        # A code and its mirror image hold negated trits: only the lower half needs tables.
        mirrored, lower = Signal(), Signal(range(code.size // 2 + 1))
        m.d.comb += [
            mirrored.eq(self.code > code.size // 2),
            lower.eq(Mux(mirrored, ~self.code, self.code) + Mux(mirrored, code.size, 0)),
            self.corrupt.eq(self.code >= code.size),
        ]
        values = balanced_parts(code, self._config.parts)[: code.size // 2 + 1]

        def table(bits, width):
            number = sum(int(bit) << width * place for place, bit in enumerate(bits))
            return Const(number, width << len(lower)).word_select(lower, width)

        for part in range(len(self._config.parts)):
            lookup = self.lookups[part]
            magnitude, sign = abs(values[:, part]), values[:, part] < 0
            m.d.comb += lookup.index.eq(table(magnitude, len(lookup.index)))
            m.d.comb += lookup.negative.eq(mirrored ^ table(sign, 1))
        return m
