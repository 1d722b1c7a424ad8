"""A chain of multipliers that adds up their products."""

from amaranth.hdl import Const, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.checks import check_integer
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import B_BITS, D_BITS, P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import XY, Z, opmode
from tercel_hw.target import Target
from tercel_hw.tlmm.chain_latency import chain_latency

__all__ = ["ProductChain"]


class ProductChain(wiring.Component):
    """``sum(a[j] * b[j])``, a set of operands a cycle; each cell is a DSP48E2 on UltraScale+.

    A cell adds its product to the sum of the one before, in the cycle after it; so the operands of
    cell j are delayed by j cycles. The registers have no reset.

    Parameters
    ----------
    cells
        Number of products.
    a_bits
        Bits of the signed operands.
    b_bits
        Bits of the unsigned operands.
    bits
        Bits of the signed sum, which wraps around.

    Members
    -------
    a : In(ArrayLayout(signed(a_bits), cells))
    b : In(ArrayLayout(unsigned(b_bits), cells))
    o : Out(signed(bits))

    Raises
    ------
    ValueError
        If a parameter exceeds the width of a DSP48E2's operand.
    """

    a: data.View
    b: data.View
    o: Signal

    def __init__(self, *, cells: int, a_bits: int, b_bits: int, bits: int):
        check_integer("cells", cells, 1, 64)
        check_integer("a_bits", a_bits, 1, D_BITS)
        check_integer("b_bits", b_bits, 1, B_BITS - 1)
        check_integer("bits", bits, 1, P_BITS)
        self._cells = cells
        self._bits = bits
        super().__init__(
            {
                "a": In(data.ArrayLayout(signed(a_bits), cells)),
                "b": In(data.ArrayLayout(unsigned(b_bits), cells)),
                "o": Out(signed(bits)),
            }
        )

    @property
    def latency(self) -> int:
        return chain_latency(self._cells)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cell = self._vendor if platform is Target.ULTRASCALE_PLUS else self._portable
        stages, total = Stages(m, Const(1)), Const(0, P_BITS)
        for index in range(self._cells):
            a, b = self.a[index], self.b[index]
            # A cell has a second register of each operand, for a cycle of the delay.
            late = max(0, index - 1)
            a, b = stages.delay(a, late, f"a{index}"), stages.delay(b, late, f"b{index}")
            total = cell(m, index, a, b, total)
        m.d.comb += self.o.eq(total)
        return m

    def _portable(self, m: Module, index: int, a: Value, b: Value, before: Value) -> Value:
        stages = Stages(m, Const(1))
        registers = 1 + (index > 0)
        a = stages.delay(a, registers, f"left{index}")
        b = stages.delay(b, registers, f"right{index}")
        product = stages.delay(a * b, 1, f"product{index}")
        total = Signal(signed(self._bits), name=f"sum{index}", reset_less=True)
        m.d.sync += total.eq(product + before if index else product)
        return total

    def _vendor(self, m: Module, index: int, a: Value, b: Value, before: Value) -> Value:
        registers = 1 + (index > 0)
        last = index + 1 == self._cells
        total = Signal(signed(P_BITS), name=f"sum{index}")
        m.submodules[f"cell{index}"] = dsp48e2(
            attributes={
                **{f"{name}REG": registers for name in ("A", "ACASC", "B", "BCASC")},
                "CREG": 0,
            },
            inputs={
                "A": a,
                "B": b,
                "PCIN": before,
                "OPMODE": opmode(xy=XY.M, z=Z.PCIN if index else Z.ZERO),
            },
            **{"P" if last else "PCOUT": total},
        )
        return total
