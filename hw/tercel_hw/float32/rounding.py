"""The last stages of every pipeline that rounds to a float32."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Mux, Value

from tercel_hw.float32.encoding import BIAS, EXPONENT_BITS, INFINITE, MANTISSA_BITS
from tercel_hw.float32.stages import Stages

__all__ = ["SHIFTED_BIAS", "judge", "pack", "round_to_float"]

SHIFTED_BIAS = BIAS + 1
"""Bias of exponents before rounding, raised by 128 so that none is negative."""
NUMBER_BITS = MANTISSA_BITS + EXPONENT_BITS + 1


def round_to_float(stages: Stages, exact: SimpleNamespace) -> SimpleNamespace:
    """Normalise by one place and round to nearest even, in a stage of one carry chain.

    Parameters
    ----------
    exact
        Values of the current stage: ``significand``, 27 bits, of which the highest or the one below
        is set and the lowest is sticky; ``exponent`` for a clear highest bit, biased and raised by
        128, 9 bits; ``least``, two bits, set if the exponent is 0 without and with a carry;
        ``tie_down``, set if an apparent tie lies below one; ``sign``, ``zero`` and ``infinite``.

    Returns
    -------
    SimpleNamespace
        Argument of :func:`judge`.
    """
    carry = exact.significand[-1]
    significand = Mux(carry, exact.significand[3:], exact.significand[2:-1])
    guard = Mux(carry, exact.significand[2], exact.significand[1])
    sticky = exact.significand[0] | (carry & exact.significand[1])
    # Gradual underflow has a bit less below 2^-126, so 24 ones there round up to 2^-126 whatever
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
    """Flush at exponents <= 0, infinite from 255 on; ``infinite`` has priority over ``zero``."""
    exponent = rounded.number[MANTISSA_BITS:]
    return {
        # The bias that is raised by 128 inverts the highest bit.
        "number": Cat(rounded.number[: NUMBER_BITS - 2], ~rounded.number[NUMBER_BITS - 2]),
        "sign": rounded.sign,
        "zero": rounded.zero | (exponent <= SHIFTED_BIAS),
        "infinite": rounded.infinite | (exponent >= INFINITE + SHIFTED_BIAS),
    }


def pack(*, number: Value, sign: Value, zero: Value, infinite: Value | None = None) -> Value:
    """Compose 32 bits of the result of :func:`judge`: a number, zero or infinity."""
    bits = Mux(zero, 0, number)
    if infinite is not None:
        bits = Mux(infinite, Const(INFINITE << MANTISSA_BITS, len(number)), bits)
    return Cat(bits, sign)
