"""Softmax attention over an int8 KV cache, in exact integers: the order of keys does not matter.

Two sweeps. The keys give the scores, their maximum and the largest exponent of a value scale. The
values are then summed with integer weights that include the value scale. Scores are base-2
logarithms in 18-bit fixed point.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32, Int8, Int32, bfloat16_value, fixed, flush, multiply
from tercel.numerics.functions import (
    EXP2_FRACTION_BITS,
    LOG2_E,
    exp2_significands,
    reciprocal,
)
from tercel.numerics.quantise import Quantised

__all__ = ["SCORE_BITS", "CacheView", "attend"]

SCORE_BITS = 18
WEIGHT_SHIFT = 6
"""A weight is ``significand * mantissa >> 6 + ...``: below 2^17, so that it fits a DSP operand."""
SUM_SHIFT = 4
"""Fraction bits of the denominator's terms beyond those of the table."""
LAST_SHIFT = 30


@dataclass(frozen=True, kw_only=True)
class CacheView:
    """Keys and values of S positions: the committed ones, then the N nodes of the pass."""

    keys: Int8
    """``[kv_heads, S, head_size]``."""
    key_scales: npt.NDArray[np.uint16]
    """``[kv_heads, S]``, bfloat16 bits."""
    values: Int8
    value_scales: npt.NDArray[np.uint16]


def attend(q: Quantised, cache: CacheView, ancestors: npt.NDArray[np.bool_]) -> Float32:
    """Attention of N queries over the committed positions and their own ancestors in the pass.

    Parameters
    ----------
    q
        int8 ``[N, heads, head_size]`` with float32 scales ``[N, heads]``.
    ancestors
        ``[N, N]``; row i marks the nodes that node i attends to, itself included.

    Returns
    -------
    float32 ``[N, heads * head_size]``
    """
    nodes, heads, size = q.values.shape
    positions = cache.key_scales.shape[1]
    visible = np.ones((nodes, positions), bool)
    visible[:, positions - nodes :] = ancestors
    scores = _scores(q, cache)
    # [kv_heads, group, N, S]
    scores = np.where(visible, scores, -(1 << (SCORE_BITS - 1)))
    below = scores - scores.max(axis=-1, keepdims=True)
    significand = exp2_significands()[below & ((1 << EXP2_FRACTION_BITS) - 1)]
    octaves = -(below >> EXP2_FRACTION_BITS)

    shift = np.minimum(octaves, LAST_SHIFT)
    terms = ((significand << (SUM_SHIFT + 1)) + (1 << shift)) >> (shift + 1)
    total = np.where(visible, terms, 0).sum(axis=-1, dtype=np.int64)

    exponent = (cache.value_scales >> 7).astype(np.int32) - 127
    mantissa = np.where(exponent > -127, (cache.value_scales & 0x7F).astype(np.int32) | 0x80, 0)
    exponent, mantissa = exponent[:, None, None], mantissa[:, None, None]
    largest = np.where(visible, exponent, -127).max(axis=-1, keepdims=True)
    shift = np.minimum(WEIGHT_SHIFT + octaves + largest - exponent, LAST_SHIFT)
    # A masked position's exponent may exceed the largest; its weight is dropped below.
    shift = np.maximum(shift, WEIGHT_SHIFT)
    weights = (significand * mantissa + (1 << (shift - 1))) >> shift
    weights = np.where(visible, weights, 0)

    output = _weighted_sum(weights, cache.values)
    inverse = reciprocal(total.astype(np.float32))
    scale = flush(np.ldexp(inverse, largest[..., 0] + SUM_SHIFT - 1))
    output = multiply(output, scale[..., None])
    return output.transpose(2, 0, 1, 3).reshape(nodes, heads * size)


def _scores(q: Quantised, cache: CacheView) -> Int32:
    """``[kv_heads, group, N, S]`` fixed point; query head h reads KV head ``h // group``."""
    nodes, heads, size = q.values.shape
    kv_heads, positions, _ = cache.keys.shape
    queries = q.values.transpose(1, 0, 2).reshape(kv_heads, -1, size).astype(np.float32)
    products = queries @ cache.keys.astype(np.float32).transpose(0, 2, 1)
    products = products.reshape(kv_heads, heads // kv_heads, nodes, positions)
    query_scale = multiply(q.scale, LOG2_E / np.sqrt(np.float32(size)))
    query_scale = query_scale.T.reshape(kv_heads, -1, nodes, 1)
    key_scale = bfloat16_value(cache.key_scales)[:, None, None]
    scaled = multiply(products, multiply(query_scale, key_scale))
    return fixed(scaled, EXP2_FRACTION_BITS, SCORE_BITS)


def _weighted_sum(weights: Int32, values: Int8) -> Float32:
    """``sum_s weights * values`` exactly (below 2^53 in float64), rounded to float32 once."""
    kv_heads, group, nodes, positions = weights.shape
    flat = weights.reshape(kv_heads, group * nodes, positions).astype(np.float64)
    output = flat @ values.astype(np.float64)
    return output.astype(np.float32).reshape(kv_heads, group, nodes, -1)
