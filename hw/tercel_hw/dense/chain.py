"""A chain of multipliers, each of which adds its product to the previous one's sum."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring

from tercel_hw.dense.config import TOTAL_BITS, WEIGHT_BITS, DenseConfig
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import INMODE, XY, Z, opmode, select
from tercel_hw.target import Target

__all__ = ["Chain", "cell_control"]

ATTRIBUTES = {
    "AMULTSEL": "AD",
    "AREG": 1,
    "ACASCREG": 1,
    "BREG": 2,
    "BCASCREG": 2,
    "CREG": 0,
    "ALUMODEREG": 0,
    "CARRYINREG": 0,
    "CARRYINSELREG": 0,
}


def cell_control() -> data.StructLayout:
    """Layout of a cell's addends: its product, and its own sum or the previous cell's."""
    return data.StructLayout({"multiply": 1, "keep": 1, "cascade": 1})


class Chain(wiring.Component):
    """A lane's ``chain`` cells, each a DSP48E2 with all of its registers.

    Cell j does in cycle t + j what cell 0 does in cycle t: the driver delays all inputs of cell j
    by j cycles. In cell 0, the byte of cycle t is multiplied by the vector's byte or, if ``axpy``
    is high in cycle t, by the weight of cycle t; the product is in the sum from cycle t +
    ``LATENCY`` on, according to ``control`` in cycle t + ``CONTROL``.

    Parameters
    ----------
    config
        Parameters of the engine.

    Members
    -------
    bytes : In(ArrayLayout(signed(8), chain))
        Bytes of a row.
    vector : In(signed(8))
        New vector byte of the cell whose bit of `load` is set, used from the same cycle's byte on.
    load : In(chain)
    weights : In(ArrayLayout(unsigned(17), chain))
    axpy : In(chain)
    control : In(ArrayLayout(cell_control(), chain))
    o : Out(signed(37))
        The last cell's sum.
    """

    LATENCY = 4
    CONTROL = 2

    bytes: data.View
    vector: Signal
    load: Signal
    weights: data.View
    axpy: Signal
    control: data.View
    o: Signal

    def __init__(self, config: DenseConfig):
        self._config = config
        cells = config.chain
        super().__init__(
            {
                "bytes": wiring.In(data.ArrayLayout(signed(8), cells)),
                "vector": wiring.In(signed(8)),
                "load": wiring.In(unsigned(cells)),
                "weights": wiring.In(data.ArrayLayout(unsigned(WEIGHT_BITS), cells)),
                "axpy": wiring.In(unsigned(cells)),
                "control": wiring.In(data.ArrayLayout(cell_control(), cells)),
                "o": wiring.Out(signed(TOTAL_BITS)),
            }
        )

    @property
    def config(self) -> DenseConfig:
        return self._config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cell = self._vendor if platform is Target.ULTRASCALE_PLUS else self._portable
        before: Value = Const(0, P_BITS)
        for index in range(self._config.chain):
            before = cell(m, index, before)
        m.d.comb += self.o.eq(before)
        return m

    def _portable(self, m: Module, index: int, before: Value) -> Value:
        def register(name: str, shape: Shape | int) -> Signal:
            return Signal(shape, name=f"{name}{index}", reset_less=True)

        control = self.control[index]
        vector, weight = register("vector", signed(8)), register("weight", unsigned(WEIGHT_BITS))
        early, late = register("early", signed(8)), register("late", signed(8))
        axpy, factor = register("axpy", 1), register("factor", signed(WEIGHT_BITS + 1))
        product = register("product", signed(WEIGHT_BITS + 8))
        now = Signal(cell_control(), name=f"now{index}", reset_less=True)
        total = register("sum", signed(TOTAL_BITS))
        with m.If(self.load[index]):
            m.d.sync += vector.eq(self.vector)
        added = Mux(now.keep, total, Mux(now.cascade, before, 0))
        m.d.sync += [
            weight.eq(self.weights[index]),
            axpy.eq(self.axpy[index]),
            factor.eq(Mux(axpy, weight, vector)),
            early.eq(self.bytes[index]),
            late.eq(early),
            product.eq(factor * late),
            now.eq(control),
            total.eq(added + Mux(now.multiply, product, 0)),
        ]
        return total

    def _vendor(self, m: Module, index: int, before: Value) -> Value:
        control = self.control[index]
        last = index + 1 == self._config.chain
        out = Signal(signed(P_BITS), name=f"out{index}")
        m.submodules[f"cell{index}"] = dsp48e2(
            attributes=ATTRIBUTES,
            inputs={
                "A": self.vector,
                "CEA2": self.load[index],
                "B": self.bytes[index],
                "D": self.weights[index],
                "PCIN": before,
                "INMODE": select(INMODE.A2, {INMODE.D: self.axpy[index]}),
                "OPMODE": opmode(
                    xy=select(XY.ZERO, {XY.M: control.multiply}),
                    z=select(Z.ZERO, {Z.PCIN: control.cascade, Z.P: control.keep}),
                ),
            },
            **{"P" if last else "PCOUT": out},
        )
        return out
