"""The product of two significands."""

from amaranth.hdl import Cat, Module, Signal, Value

from tercel_hw.float32.encoding import SIGNIFICAND_BITS
from tercel_hw.float32.primitive import Primitive
from tercel_hw.float32.stages import Stages
from tercel_hw.primitives.dsp48e2 import P_BITS, dsp48e2
from tercel_hw.primitives.dsp48e2_modes import XY, Z, opmode
from tercel_hw.target import Target

__all__ = ["SignificandProduct", "check_b_bits"]

LOW_BITS = 17
"""Bits of the second factor that fit a DSP48E2; also the cascade's shift."""
TOP_BITS = SIGNIFICAND_BITS + 2
"""Highest bits of a product: a significand, a place of normalisation and the guard bit."""


def check_b_bits(b_bits: int) -> None:
    """Refuse an impossible width of the second factor.

    Raises
    ------
    TypeError
        If ``b_bits`` is no integer.
    ValueError
        If ``b_bits`` is out of range.
    """
    if not isinstance(b_bits, int):
        raise TypeError(f"b_bits must be an integer, not {b_bits!r}")
    if not 2 <= b_bits <= LOW_BITS and b_bits != SIGNIFICAND_BITS:
        raise ValueError(
            f"b_bits must be between 2 and {LOW_BITS}, or {SIGNIFICAND_BITS}, not {b_bits}"
        )


class SignificandProduct(Primitive):
    """``a * b``: its highest bits and a sticky bit of the others; one a cycle, latency 4.

    Stages: operands; the products with both halves of ``b``; their sum; the test of its low bits.
    For UltraScale+ one DSP48E2 with all its registers, or two in a cascade if ``b`` has more than
    17 bits: ``a * b[:17] + (a * b[17:] << 17)``. The pattern detector looks at the low bits.

    Parameters
    ----------
    b_bits
        Bits of the second factor, 2 to 17, or 24.

    Members
    -------
    a : In(24)
    b : In(b_bits)
    o : Out(27)
        The highest 26 of ``24 + b_bits`` bits above a bit that is set if any lower one is.

    Raises
    ------
    TypeError
        If ``b_bits`` is no integer.
    ValueError
        If it is out of range.
    """

    LATENCY = 4

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, *, b_bits: int = SIGNIFICAND_BITS):
        check_b_bits(b_bits)
        super().__init__({"a": SIGNIFICAND_BITS, "b": b_bits}, TOP_BITS + 1)
        self._b_bits = b_bits

    @property
    def b_bits(self) -> int:
        return self._b_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        below = self._b_bits - 2
        if platform is not Target.ULTRASCALE_PLUS:
            half = self._b_bits // 2
            operands = stages(a=self.a, b=self.b)
            parts = stages(low=operands.a * operands.b[:half], high=operands.a * operands.b[half:])
            product = stages(product=parts.low + (parts.high << half)).product
            result = stages(result=Cat(product[:below].any(), product[below:])).result
            m.d.comb += self.o.eq(result)
            return m
        if self._b_bits <= LOW_BITS:
            product, _, exact = self._cell(m, "cell", self.b, zeros=below, deep=True)
        else:
            _, cascade, low = self._cell(m, "low", self.b[:LOW_BITS], zeros=LOW_BITS)
            below -= LOW_BITS
            product, _, high = self._cell(
                m, "high", self.b[LOW_BITS:], zeros=below, deep=True, cascade=cascade
            )
            exact = stages(exact=low).exact & high
        m.d.comb += self.o.eq(Cat(~exact, product[below : below + TOP_BITS]))
        return m

    def _cell(
        self,
        m: Module,
        name: str,
        b: Value,
        *,
        zeros: int,
        deep: bool = False,
        cascade: Value | None = None,
    ) -> tuple[Value, Value, Value]:
        """Add a DSP48E2 for ``a * b``, a cycle later if ``deep``.

        Parameters
        ----------
        zeros
            Number of low bits that its pattern detector compares.
        cascade
            Value that is shifted right by 17 bits and added.

        Returns
        -------
        tuple
            The sum, the sum for the next cell, and a bit that is set if its lowest bits are zero.
        """
        product = Signal(P_BITS, name=f"{name}_product")
        onwards = Signal(P_BITS, name=f"{name}_onwards")
        exact = Signal(name=f"{name}_exact")
        attributes: dict[str, int | str] = {
            "AREG": 1 + deep,
            "BREG": 1 + deep,
            "USE_PATTERN_DETECT": "PATDET",
            "MASK": (1 << P_BITS) - (1 << zeros),
        }
        enables = ("CEA1", "CEA2", "CEB1", "CEB2", "CEM", "CEP")
        inputs: dict[str, Value] = {
            "A": self.a,
            "B": b,
            "OPMODE": opmode(xy=XY.M, z=Z.ZERO if cascade is None else Z.PCIN_SHIFTED),
            **dict.fromkeys(enables, self.enable),
        }
        if cascade is not None:
            inputs["PCIN"] = cascade
        m.submodules[name] = dsp48e2(
            attributes=attributes, inputs=inputs, P=product, PCOUT=onwards, PATTERNDETECT=exact
        )
        return product, onwards, exact
