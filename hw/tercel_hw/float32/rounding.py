"""The last two stages of every pipeline that rounds to a float32."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Value

from tercel_hw.float32.encoding import SIGNIFICAND_BITS, WIDE_EXPONENT_BITS, compose
from tercel_hw.float32.stages import Stages

__all__ = ["round_to_float"]


def round_to_float(stages: Stages, exact: SimpleNamespace) -> Value:
    """Round to nearest even, flush, saturate to infinity; two stages, the result a register.

    Parameters
    ----------
    exact
        Values of the current stage: ``sign``; ``exponent``, biased and signed; ``significand``, 24
        bits with the hidden one, or less than 2^23 if ``zero``; ``guard`` and ``sticky``, the next
        bit and whether any below it is set; ``zero`` and ``infinite``.
    """
    odd = exact.significand[0]
    # Gradual underflow has one bit less below 2^-126, so 24 ones there round up to 2^-126 whatever
    # the guard bit says; the rest of exponent 0 is flushed, so there rounding up does no harm.
    up = (exact.guard & (exact.sticky | odd)) | (exact.exponent == 0)
    mantissa = exact.significand[: SIGNIFICAND_BITS - 1]
    rounded = (Cat(mantissa, exact.exponent) + up)[: len(mantissa) + WIDE_EXPONENT_BITS]
    rounds = stages(rounded=rounded, sign=exact.sign, zero=exact.zero, infinite=exact.infinite)
    bits = compose(
        sign=rounds.sign,
        exponent=rounds.rounded[len(mantissa) :].as_signed(),
        mantissa=rounds.rounded[: len(mantissa)],
        zero=rounds.zero,
        infinite=rounds.infinite,
    )
    return stages(float=bits).float
