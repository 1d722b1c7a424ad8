"""The golden model: every operator of the accelerator in NumPy, equal to the RTL bit for bit.

Specified in docs/numerics.md.
"""

from tercel.numerics.attention import CacheView, attend
from tercel.numerics.blocks import BlockQuantised, block_quantise, norm_block_quantise
from tercel.numerics.float32 import add, bfloat16_up, bfloat16_value, fixed, flush, multiply
from tercel.numerics.functions import exp2, reciprocal, relu2, rsqrt, sigmoid, silu
from tercel.numerics.head import argmax, exponential_sum, head_logits, logits, top_k
from tercel.numerics.linear import (
    GROUP,
    dequantise,
    grouped_linear,
    grouped_weights,
    integer_linear,
    ternary_linear,
)
from tercel.numerics.quantise import (
    Quantised,
    head_norm,
    norm_quantise,
    quantise,
    quantise_cache,
    quantise_rows,
    sum_of_squares,
)
from tercel.numerics.rope import rope_table, rotate
from tercel.numerics.shortlist import shortlist

__all__ = [
    "GROUP",
    "BlockQuantised",
    "CacheView",
    "Quantised",
    "add",
    "argmax",
    "attend",
    "bfloat16_up",
    "bfloat16_value",
    "block_quantise",
    "dequantise",
    "exp2",
    "exponential_sum",
    "fixed",
    "flush",
    "grouped_linear",
    "grouped_weights",
    "head_logits",
    "head_norm",
    "integer_linear",
    "logits",
    "multiply",
    "norm_block_quantise",
    "norm_quantise",
    "quantise",
    "quantise_cache",
    "quantise_rows",
    "reciprocal",
    "relu2",
    "rope_table",
    "rotate",
    "rsqrt",
    "shortlist",
    "sigmoid",
    "silu",
    "sum_of_squares",
    "ternary_linear",
    "top_k",
]
