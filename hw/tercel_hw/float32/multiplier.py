"""Float32 multiplication."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Signal

from tercel_hw.float32.encoding import EXPONENT_BITS, INFINITE, SIGNIFICAND_BITS, fields
from tercel_hw.float32.primitive import FLOAT32_BITS, Primitive, attach
from tercel_hw.float32.rounding import SHIFTED_BIAS, judge, pack, round_to_float
from tercel_hw.float32.significand_product import SignificandProduct, check_b_bits
from tercel_hw.float32.stages import Stages

__all__ = ["Multiplier"]


class Multiplier(Primitive):
    """``numerics.multiply``: the product rounded once and flushed; one a cycle, latency 7.

    Stages: four for the significands' product; normalise and round; check the exponent; compose.
    Zero times infinity, NaN in IEEE 754, is a zero of the product's sign here.

    Parameters
    ----------
    b_bits
        Bits of the second operand's significand with the hidden one: 2 to 17, or 24; the others
        must be zero. Up to 17 bits take one DSP48E2 instead of two.

    Members
    -------
    a, b : In(32)
    o : Out(32)

    Raises
    ------
    TypeError
        If ``b_bits`` is no integer.
    ValueError
        If it is out of range.
    """

    LATENCY = SignificandProduct.LATENCY + 3

    a: Signal
    b: Signal

    def __init__(self, *, b_bits: int = SIGNIFICAND_BITS):
        check_b_bits(b_bits)
        self._b_bits = b_bits
        super().__init__({"a": FLOAT32_BITS, "b": FLOAT32_BITS}, FLOAT32_BITS)

    @property
    def b_bits(self) -> int:
        return self._b_bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = Stages(m, self.enable)
        a, b = fields(self.a), fields(self.b)

        # With a zero or subnormal operand the significands' product is not used.
        product = attach(
            m,
            "product",
            SignificandProduct(b_bits=self._b_bits),
            self.enable,
            a=Cat(a.mantissa, Const(1, 1)),
            b=Cat(b.mantissa, Const(1, 1))[-self._b_bits :],
        )
        early = stages(a=a.exponent, b=b.exponent, sign=a.sign ^ b.sign)
        early = stages(**vars(early))
        # Both biases and one more make it 128 too high, as ``round_to_float`` expects.
        summed = stages(
            exponent=(Cat(Const(1, 1), early.a) + Cat(Const(1, 1), early.b))[1:],
            zero=~(early.a.any() & early.b.any()),
            infinite=(early.a == INFINITE) | (early.b == INFINITE),
            sign=early.sign,
        )
        whole = stages(
            exponent=summed.exponent[: EXPONENT_BITS + 1],
            # Set if the exponent is 0 after normalisation, without and with a carry.
            least=Cat(summed.exponent == SHIFTED_BIAS, summed.exponent == SHIFTED_BIAS - 1),
            zero=summed.zero,
            infinite=summed.infinite & ~summed.zero,
            sign=summed.sign,
        )
        exact = SimpleNamespace(significand=product, tie_down=Const(0, 1), **vars(whole))
        judged = stages(**judge(round_to_float(stages, exact)))
        m.d.comb += self.o.eq(stages(float=pack(**vars(judged))).float)
        return m
