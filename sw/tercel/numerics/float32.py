"""The accelerator's float32: zeros, normal numbers and infinities, one rounding per operation.

Source: IEEE 754-2019, binary32, roundTiesToEven. Subnormal operands and results are zeros of the
same sign, as in hardware without gradual underflow. No operation gives NaN: zero times infinity is
zero, and infinity minus infinity is infinity. No operand may be NaN.
"""

import numpy as np
import numpy.typing as npt

__all__ = [
    "Float32",
    "Int8",
    "Int32",
    "add",
    "bfloat16_up",
    "bfloat16_value",
    "fixed",
    "flush",
    "multiply",
]

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]

SMALLEST_NORMAL = np.float32(2.0**-126)


def flush(x: Float32 | np.float32) -> Float32:
    """Replace subnormal elements by zeros of the same sign; return ``x`` itself if there are none.

    Zeros count as subnormal for this, so an array with zeros is copied.
    """
    normal = np.abs(x) >= SMALLEST_NORMAL
    return np.asarray(x) if np.count_nonzero(normal) == normal.size else x * normal


def multiply(a: Float32 | np.float32, b: Float32 | np.float32) -> Float32:
    """The product, rounded once and flushed; zero times infinity is a zero with its sign."""
    a, b = flush(a), flush(b)
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.multiply(a, b, dtype=np.float32)
    undefined = np.isnan(y)
    if np.count_nonzero(undefined):
        negative = np.signbit(a) ^ np.signbit(b)
        y = np.where(undefined, np.where(negative, np.float32(-0.0), np.float32(0)), y)
    return flush(y)


def add(a: Float32 | np.float32, b: Float32 | np.float32) -> Float32:
    """The sum, rounded once and flushed; opposite infinities give positive infinity."""
    a, b = flush(a), flush(b)
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.add(a, b, dtype=np.float32)
    undefined = np.isnan(y)
    if np.count_nonzero(undefined):
        y = np.where(undefined, np.float32(np.inf), y)
    return flush(y)


def fixed(x: Float32, fraction_bits: int, width: int) -> Int32:
    """Signed fixed point of ``width`` <= 32 bits: round half to even, saturate.

    Infinities saturate too.

    Returns
    -------
    int32, the shape of ``x``, in units of ``2**-fraction_bits``.
    """
    limit = 2.0 ** (width - 1)
    # Float64 holds both bounds and every float32 times a power of two exactly.
    scaled = np.rint(np.multiply(x, 2.0**fraction_bits, dtype=np.float64))
    return np.clip(scaled, -limit, limit - 1).astype(np.int32)


def bfloat16_up(x: Float32) -> npt.NDArray[np.uint16]:
    """Round ``x`` >= 0, not subnormal, up to bfloat16; the result is its bit pattern."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0xFFFF)) >> np.uint32(16)).astype(np.uint16)


def bfloat16_value(bits: npt.NDArray[np.uint16]) -> Float32:
    """The float32 values of bfloat16 bit patterns."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
