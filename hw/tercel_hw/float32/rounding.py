"""The last stages of every pipeline that rounds to a float32."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Mux, Value

from tercel_hw.float32.encoding import BIAS, EXPONENT_BITS, INFINITE, MANTISSA_BITS
from tercel_hw.float32.stages import Stages

__all__ = ["SHIFTED_BIAS", "judge", "pack", "round_to_float"]

SHIFTED_BIAS = BIAS + 1
"""Exponents here are too high by a power of two, so as not to be negative."""
NUMBER_BITS = MANTISSA_BITS + EXPONENT_BITS + 1


def round_to_float(stages: Stages, exact: SimpleNamespace) -> SimpleNamespace:
    """Normalise by one place and round to nearest even; a stage of one carry chain.

    Parameters
    ----------
    exact
        Values of the current stage: ``significand``, 27 bits, of which the highest or the one below
        is set and the lowest stands for all below; ``exponent`` of a number whose highest bit
        is not set, biased and 128 more, 9 bits; ``least``, two bits, whether the exponent is 0
        without and with a carry; ``tie_down``, whether what looks like a tie lies below it;
        ``sign``, ``zero`` and ``infinite``.

    Returns
    -------
    SimpleNamespace
        For :func:`judge`.
    """
    carry = exact.significand[-1]
    significand = Mux(carry, exact.significand[3:], exact.significand[2:-1])
    guard = Mux(carry, exact.significand[2], exact.significand[1])
    sticky = exact.significand[0] | (carry & exact.significand[1])
    # Gradual underflow has one bit less below 2^-126, so 24 ones there round up to 2^-126 whatever
    # the guard bit says; the rest of exponent 0 is flushed, so there rounding up does no harm.
    least = Mux(carry, exact.least[1], exact.least[0])
    up = (guard & (sticky | (significand[0] & ~exact.tie_down))) | least
    left = Cat(significand[:MANTISSA_BITS], exact.exponent)
    right = Cat(up, Const(0, MANTISSA_BITS - 1), carry)
    return stages(
        number=(left + right)[:NUMBER_BITS],
        sign=exact.sign,
        zero=exact.zero,
        infinite=exact.infinite,
    )


def judge(rounded: SimpleNamespace) -> dict[str, Value]:
    """Flush at exponents <= 0, infinite from 255 on; a zero is zero, infinity goes first."""
    exponent = rounded.number[MANTISSA_BITS:]
    return {
        # The bias of 128 more turns the highest bit over.
        "number": Cat(rounded.number[: NUMBER_BITS - 2], ~rounded.number[NUMBER_BITS - 2]),
        "sign": rounded.sign,
        "zero": rounded.zero | (exponent <= SHIFTED_BIAS),
        "infinite": rounded.infinite | (exponent >= INFINITE + SHIFTED_BIAS),
    }


def pack(*, number: Value, sign: Value, zero: Value, infinite: Value | None = None) -> Value:
    """The 32 bits of what was judged: mantissa and exponent of a number, or zero, or infinity."""
    bits = Mux(zero, 0, number)
    if infinite is not None:
        bits = Mux(infinite, Const(INFINITE << MANTISSA_BITS, len(number)), bits)
    return Cat(bits, sign)
