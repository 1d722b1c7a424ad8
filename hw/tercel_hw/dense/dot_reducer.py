"""A beat's products to one sum a lane."""

from amaranth.hdl import Const, Module, Value, signed
from amaranth.lib import data, wiring

from tercel_hw.dense.config import DenseConfig
from tercel_hw.dense.packing import PACKED_TERMS, split
from tercel_hw.float32.stages import Stages

__all__ = ["BEAT_SUM_BITS", "DotReducer", "reducer_latency"]

BEAT_SUM_BITS = 24
"""Of the sum of up to 256 int8 products."""
PRODUCT_BITS = 16
RADIX = 4
"""Terms that are added between two registers."""


def _steps(terms: int) -> int:
    """Register stages of a tree."""
    return 0 if terms <= 1 else 1 + _steps(-(-terms // RADIX))


def _tree(stages: Stages, terms: list[Value]) -> Value:
    while len(terms) > 1:
        groups = [terms[start : start + RADIX] for start in range(0, len(terms), RADIX)]
        terms = [stages(part=sum(group[1:], group[0])).part for group in groups]
    return terms[0]


def reducer_latency(config: DenseConfig) -> int:
    """Cycles of a :class:`DotReducer`: 3 for 64 bytes a beat, 4 if packed."""
    if config.packed:
        return _steps(PACKED_TERMS) + _steps(config.macs // PACKED_TERMS)
    return _steps(config.macs)


class DotReducer(wiring.Component):
    """The adder trees of a column: a beat a cycle, latency ``latency``.

    Packed products are added eight at a time before they are split.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    products : In(config.products)
    o : Out(halves * 24 bits)
        The sum of the lane, and if packed that of the lane above.
    """

    products: data.View
    o: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "products": wiring.In(config.products),
                "o": wiring.Out(data.ArrayLayout(signed(BEAT_SUM_BITS), config.halves)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    @property
    def latency(self) -> int:
        return reducer_latency(self._config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, Const(1))
        products = [self.products[index] for index in range(self._config.macs)]
        if not self._config.packed:
            terms = [product[:PRODUCT_BITS].as_signed() for product in products]
            m.d.comb += self.o[0].eq(_tree(stages, terms))
            return m
        words = [
            split(_tree(stages, products[start : start + PACKED_TERMS]))
            for start in range(0, len(products), PACKED_TERMS)
        ]
        m.d.comb += [
            self.o[0].eq(_tree(stages, [low for _, low in words])),
            self.o[1].eq(_tree(stages, [high for high, _ in words])),
        ]
        return m
