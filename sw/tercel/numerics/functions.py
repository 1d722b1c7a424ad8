"""Reciprocal, reciprocal square root, 2^x and the activations, as the accelerator computes them.

The first three interpolate linearly, in integers, in a table of 256 segments; a 24-bit value and a
12-bit slope each fill one 36-bit memory word. A segment's line is the chord through its end points,
moved by half of its largest error, which balances the error. The result's significand ``y`` is in
[2^23, 2^24).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32, Int32, add, fixed, multiply

__all__ = [
    "EXP2_FRACTION_BITS",
    "LOG2_E",
    "SegmentTable",
    "exp2",
    "exp2_significands",
    "exp2_table",
    "fields",
    "reciprocal",
    "reciprocal_table",
    "relu2",
    "rsqrt",
    "rsqrt_table",
    "sigmoid",
    "silu",
]

LOG2_E = np.float32(1.4426950408889634)
SEGMENTS = 256
SIGNIFICAND_BITS = 23
SLOPE_BITS = 12
EXP2_FRACTION_BITS = 9
"""Fraction bits of softmax exponents."""


@dataclass(frozen=True, kw_only=True)
class SegmentTable:
    """``significand = value[i] +- (slope[i] * low >> shift)``; minus for a falling function."""

    values: Int32
    """[256], in units of 2^-23."""
    slopes: Int32
    """[256], magnitudes below 2^12."""
    falling: bool
    low_bits: int
    """Width of the interpolation operand."""

    @property
    def shift(self) -> int:
        return self.low_bits + SLOPE_BITS - 16

    def significand(self, index: Int32, low: Int32) -> Int32:
        """Interpolate in segment ``index``; ``low`` is in units of 2^-low_bits of a segment."""
        step = (self.slopes[index] * low) >> self.shift
        return self.values[index] + (-step if self.falling else step)


def _table(f: Callable, left: npt.NDArray, right: npt.NDArray, low_bits: int) -> SegmentTable:
    """Balanced chords of a convex ``f`` with values in [1, 2], on the given segments."""
    at_left, at_right = f(left), f(right)
    middle = (left + right) / 2
    lift = ((at_left + at_right) / 2 - f(middle)) / 2
    one = 1 << SIGNIFICAND_BITS
    # A slope of 1 is 16 bits a segment: `slope * 2^low_bits >> shift` in units of 2^-23.
    slopes = np.rint(np.abs(at_right - at_left) * 2.0 ** (SIGNIFICAND_BITS - 16 + SLOPE_BITS))
    slopes = np.minimum(slopes, (1 << SLOPE_BITS) - 1).astype(np.int32)
    values = np.rint((at_left - lift) * one).astype(np.int32)
    falling = bool(at_left[0] > at_right[0])
    # The significand must stay in [2^23, 2^24) over the whole segment.
    travel = (slopes * ((1 << low_bits) - 1)) >> (low_bits + SLOPE_BITS - 16)
    low, high = (travel, 0) if falling else (0, travel)
    values = np.clip(values, one + low, 2 * one - 1 - high)
    return SegmentTable(values=values, slopes=slopes, falling=falling, low_bits=low_bits)


@functools.cache
def reciprocal_table() -> SegmentTable:
    """2/m on m in [1, 2)."""
    left = 1 + np.arange(SEGMENTS) / SEGMENTS
    return _table(lambda m: 2 / m, left, left + 1 / SEGMENTS, 15)


@functools.cache
def rsqrt_table() -> SegmentTable:
    """2/sqrt(m): segments 0..127 cover m in [1, 2), segments 128..255 cover [2, 4)."""
    half = SEGMENTS // 2
    left = 1 + np.arange(half) / half
    left, width = np.concatenate([left, 2 * left]), np.repeat([1 / half, 2 / half], half)
    return _table(lambda m: 2 / np.sqrt(m), left, left + width, 16)


@functools.cache
def exp2_table() -> SegmentTable:
    """2^f on f in [0, 1)."""
    left = np.arange(SEGMENTS) / SEGMENTS
    return _table(np.exp2, left, left + 1 / SEGMENTS, 15)


@functools.cache
def exp2_significands() -> Int32:
    """[512], 2^f in units of 2^-15 for f = i/512: the softmax's table, in [2^15, 2^16)."""
    steps = 1 << EXP2_FRACTION_BITS
    return np.rint(np.exp2(np.arange(steps) / steps) * 2**15).astype(np.int32)


def fields(x: Float32) -> tuple[npt.NDArray[np.uint32], Int32, Int32]:
    """Sign bit in its place, biased exponent and 23 fraction bits of each float."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    sign = bits & np.uint32(0x80000000)
    return sign, ((bits >> 23) & 0xFF).astype(np.int32), (bits & 0x7FFFFF).astype(np.int32)


def _compose(sign: npt.NDArray[np.uint32], exponent: Int32, significand: Int32) -> Float32:
    """A float32 from a biased exponent and a significand in [2^23, 2^24); flushed."""
    bits = sign | (exponent.astype(np.uint32) << 23) | (significand & 0x7FFFFF).astype(np.uint32)
    bits = np.where(exponent <= 0, sign, bits)
    return np.where(exponent >= 255, sign | np.uint32(0x7F800000), bits).view(np.float32)


def reciprocal(x: Float32) -> Float32:
    """1/x with a relative error below 2^-17 and the sign of ``x``; 0 for zero and infinity."""
    sign, exponent, mantissa = fields(x)
    y = reciprocal_table().significand(mantissa >> 15, mantissa & 0x7FFF)
    return _compose(sign, np.where(exponent == 0, 0, 253 - exponent), y)


def rsqrt(x: Float32) -> Float32:
    """1/sqrt(x) for x >= 0 with a relative error below 2^-16; 0 for zero.

    Infinity counts as 2^128. A negative ``x`` gives ``-rsqrt(-x)``.
    """
    sign, exponent, mantissa = fields(x)
    odd = (exponent - 127) & 1
    y = rsqrt_table().significand((odd << 7) | (mantissa >> 16), mantissa & 0xFFFF)
    return _compose(sign, np.where(exponent == 0, 0, 126 - ((exponent - 127) >> 1)), y)


def exp2(x: Float32) -> Float32:
    """2^x with a relative error below 2^-18; results below 2^-126 are 0, from 2^128 on infinity."""
    t = fixed(x, SIGNIFICAND_BITS, 32)
    fraction = t & 0x7FFFFF
    y = exp2_table().significand(fraction >> 15, fraction & 0x7FFF)
    return _compose(np.zeros(np.shape(x), np.uint32), (t >> SIGNIFICAND_BITS) + 127, y)


def sigmoid(x: Float32) -> Float32:
    """1 / (1 + 2^-(x log2 e))."""
    return reciprocal(add(np.float32(1), exp2(multiply(-x, LOG2_E))))


def silu(x: Float32) -> Float32:
    """x * sigmoid(x)."""
    return multiply(x, sigmoid(x))


def relu2(x: Float32) -> Float32:
    """max(x, 0)^2."""
    positive = np.maximum(x, np.float32(0))
    return multiply(positive, positive)
