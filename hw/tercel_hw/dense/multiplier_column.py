"""The dense engine's cells: the one place where its multipliers are chosen."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring

from tercel_hw.dense.config import DenseConfig
from tercel_hw.dense.packing import pack
from tercel_hw.float32.stages import Stages

__all__ = ["MultiplierColumn"]


class MultiplierColumn(wiring.Component):
    """``macs`` multipliers of one lane, or of two if packed, with a DSP's registers.

    A new beat every cycle, latency 2. Dot: the row against the lane's vector, packed with that of
    the lane above. Axpy: the row against the weight.

    Parameters
    ----------
    config
        The engine's shape.

    Members
    -------
    axpy : In(1)
    row : In(config.beat)
    vectors : In(config.halves * config.beat)
    weight : In(17)
    o : Out(config.products)
    """

    LATENCY = 2

    axpy: Signal
    row: data.View
    vectors: data.View
    weight: Signal
    o: data.View

    def __init__(self, config: DenseConfig):
        self._config = config
        super().__init__(
            {
                "axpy": wiring.In(1),
                "row": wiring.In(config.beat),
                "vectors": wiring.In(data.ArrayLayout(config.beat, config.halves)),
                "weight": wiring.In(config.weights.elem_shape),
                "o": wiring.Out(config.products),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        stages = Stages(m, Const(1))
        # Not negative, as a signed number.
        weight = Cat(self.weight, Const(0, 1)).as_signed()
        for index in range(config.macs):
            dot = self.vectors[0][index]
            if config.packed:
                dot = pack(self.vectors[1][index], dot)
            factor = Mux(self.axpy, weight, dot)[: config.factor_bits].as_signed()
            operands = stages(factor=factor, byte=self.row[index])
            product = stages(product=operands.factor * operands.byte).product
            m.d.comb += self.o[index].eq(product)
        return m
