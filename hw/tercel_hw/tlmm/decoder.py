"""The decoder of weight codes to table lookups."""

from itertools import pairwise

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from tercel.image import WeightCode
from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.tlmm.layouts import lookup_layout

__all__ = ["CodeDecoder", "balanced_parts"]

LOWER_BITS = 3
"""Low bits of a code, which change its upper part by at most one; five others remain."""


def balanced_parts(code: WeightCode, parts: tuple[int, ...]) -> np.ndarray:
    """Golden decoder: balanced ternary numbers ``sum(t_i * 3**i)``, shape ``[codes, parts]``."""
    trits = code.decode(np.arange(code.size, dtype=np.uint8)[:, None]).astype(int)
    ends = np.cumsum((0, *parts))
    return np.stack(
        [trits[:, start:end] @ 3 ** np.arange(end - start) for start, end in pairwise(ends)],
        axis=1,
    )


class CodeDecoder(wiring.Component):
    """Decodes a weight code to one lookup a part, combinationally.

    The trits of a part are a balanced ternary number. In a halved table, the lower part's, its
    magnitude is the entry and its sign the sign of the sum. In a full table, the upper part's, the
    entry is the number modulo ``3**trits``. So the code of zeros looks up entry 0 of every table,
    which is zero.

    No step has more inputs than a lookup table: the upper part is decoded first, then its value is
    subtracted from the code.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    code : In
        The weight code.
    lookups : Out
        One lookup a part; undefined for a corrupt code.
    corrupt : Out
        The code is invalid.
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
        config = self._config
        m.d.comb += self.corrupt.eq(self.code >= config.weight_code.size)
        trits = config.parts[0]
        number = self.code
        if len(config.parts) == 2:
            number -= self._upper(m, 3**trits)
        balanced = _balanced(trits)
        number = number[: (len(balanced) - 1).bit_length()]
        m.d.comb += [
            self.lookups[0].index.eq(_at(abs(balanced), number)),
            self.lookups[0].negative.eq(_at(balanced < 0, number)),
        ]
        return m

    def _upper(self, m: Module, size: int) -> Value:
        """Look up the upper part, ``code // size``; return its value in the code."""
        balanced = _balanced(self._config.parts[1])
        # A separate signal: read back from the lookups, some tools would report a loop.
        index = Signal.like(self.lookups[1].index, name="upper_index")
        # Codes with equal upper bits have one value of the part or the next.
        codes = np.arange(1 << len(self.code))
        lowest = codes >> LOWER_BITS << LOWER_BITS
        upper, stepped = self.code[LOWER_BITS:], Signal()
        m.d.comb += stepped.eq(_at(codes // size > lowest // size, self.code))
        first = np.unique(lowest) // size
        values = np.concatenate((first, first + 1)).clip(max=len(balanced) - 1)
        indices = balanced % len(balanced)
        m.d.comb += [
            index.eq(_at(indices[values], Cat(upper, stepped))),
            self.lookups[1].index.eq(index),
        ]
        return _at(np.argsort(indices) * size, index)


def _balanced(trits: int) -> np.ndarray:
    """Return the balanced numbers of a part, indexed by the number of its digits."""
    return np.arange(3**trits) - 3**trits // 2


def _at(values: np.ndarray, index: Value) -> Value:
    """Return the value at an index; undefined past the last one."""
    width = bits_for(int(max(values)))
    number = sum(int(value) << width * place for place, value in enumerate(values))
    return Const(number, width << len(index)).word_select(index, width)
