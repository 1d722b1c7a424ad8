"""Float32 as the accelerator has it: one rounding per operation, subnormal results become zero.

Source: IEEE 754-2019, binary32, roundTiesToEven; flushing as in hardware without gradual underflow.
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


def flush(x: Float32) -> Float32:
    """Turn subnormal elements into zeros of the same sign."""
    return x * (np.abs(x) >= SMALLEST_NORMAL)


def multiply(a: Float32 | np.float32, b: Float32 | np.float32) -> Float32:
    """The product, rounded once and flushed."""
    with np.errstate(over="ignore"):
        return flush(np.multiply(a, b, dtype=np.float32))


def add(a: Float32 | np.float32, b: Float32 | np.float32) -> Float32:
    """The sum, rounded once and flushed."""
    with np.errstate(over="ignore"):
        return flush(np.add(a, b, dtype=np.float32))


def fixed(x: Float32, fraction_bits: int, width: int) -> Int32:
    """Signed fixed point of ``width`` <= 32 bits: round half to even, saturate.

    Returns
    -------
    int32, the shape of ``x``, in units of ``2**-fraction_bits``.
    """
    limit = 2.0 ** (width - 1)
    # Float64 holds both bounds and every float32 times a power of two exactly.
    scaled = np.rint(np.multiply(x, 2.0**fraction_bits, dtype=np.float64))
    return np.clip(scaled, -limit, limit - 1).astype(np.int32)


def bfloat16_up(x: Float32) -> npt.NDArray[np.uint16]:
    """The bit pattern of the smallest bfloat16 that is not below ``x`` >= 0."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0xFFFF)) >> np.uint32(16)).astype(np.uint16)


def bfloat16_value(bits: npt.NDArray[np.uint16]) -> Float32:
    """The float32 with these bfloat16 bits."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
