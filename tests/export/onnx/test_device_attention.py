"""Attention alone, on rows that a model rarely makes."""

import dataclasses

import numpy as np
import pytest
from onnx_sessions import evaluate

from tercel import numerics
from tercel.config import PRESETS
from tercel.numerics import CacheView
from tercel_export.onnx.device_arithmetic import DeviceArithmetic

CONFIG = dataclasses.replace(PRESETS["tiny"], heads=4, kv_heads=2, head_size=32)
POSITIONS = 40


def attend(q, keys, values, visible):
    """The graph's attention, float32 ``[sequence, heads * head_size]``."""
    group = CONFIG.heads // CONFIG.kv_heads
    found = evaluate(
        lambda graph, *values: DeviceArithmetic(graph, CONFIG).attend(*values),
        q.reshape(1, CONFIG.kv_heads, group, *q.shape[2:]),
        keys[:, :, None],
        values[:, :, None],
        visible,
    )
    nodes = q.shape[2]
    by_head = found.reshape(CONFIG.heads, nodes, CONFIG.head_size)
    return by_head.transpose(1, 0, 2).reshape(nodes, -1)


def cache(rows):
    """Int8 rows and their scales, and the rows as the graph's cache holds them."""
    values, scales = numerics.quantise_cache(rows)
    return values, scales, values * numerics.bfloat16_value(scales)[..., None]


@pytest.mark.parametrize(
    ("kind", "largest"),
    [("ordinary", 1.0), ("sharp", 40.0), ("flat", 1e-4), ("tiny", 1e-30), ("zero", 0.0)],
)
def test_it_equals_the_golden_attention(kind, largest):
    rng = np.random.default_rng(len(kind))
    nodes, shape = 6, (CONFIG.kv_heads, POSITIONS, CONFIG.head_size)
    q = rng.normal(0, max(largest, 1e-3), (nodes, CONFIG.heads, CONFIG.head_size))
    q = q.astype(np.float32)
    # Scales of the values differ by many powers of two, and some rows are zeros.
    spread = np.exp2(rng.integers(-12, 12, (*shape[:2], 1)).astype(np.float32))
    spread[:, ::7] = 0
    keys, key_scales, stored_keys = cache(rng.normal(0, largest, shape).astype(np.float32))
    values, value_scales, stored = cache((rng.normal(0, largest, shape) * spread).astype("f4"))
    ancestors = np.tril(np.ones((nodes, nodes), bool))
    visible = np.ones((nodes, POSITIONS), bool)
    visible[:, POSITIONS - nodes :] = ancestors
    view = CacheView(keys=keys, key_scales=key_scales, values=values, value_scales=value_scales)
    expected = numerics.attend(numerics.quantise(q), view, ancestors)
    found = attend(
        q.transpose(1, 0, 2)[None], stored_keys[None], stored[None], visible[None, None, None]
    )
    assert np.array_equal(found, expected)


def test_rows_whose_largest_integer_is_126_keep_their_scale():
    """A scale rounded up makes 126 the largest; 254 and 252 as significands are confusable."""
    rng = np.random.default_rng(1)
    nodes, size = 1, CONFIG.head_size
    significands = np.concatenate([np.arange(128, 256), [254] * 16, [252] * 16])
    count = len(significands)
    integers = rng.integers(-126, 127, (CONFIG.kv_heads, count, size)).astype(np.int8)
    integers[..., 0], integers[:, ::3, 1] = 126, 127
    scale = np.ldexp(significands.astype(np.float32), -14).astype(np.float32)
    bits = np.broadcast_to(numerics.bfloat16_up(scale), (CONFIG.kv_heads, count))
    assert np.array_equal(numerics.bfloat16_value(bits[0]), scale)
    q = rng.normal(0, 1, (nodes, CONFIG.heads, size)).astype(np.float32)
    view = CacheView(keys=integers, key_scales=bits, values=integers, value_scales=bits)
    expected = numerics.attend(numerics.quantise(q), view, np.ones((1, 1), bool))
    stored = (integers * scale[:, None]).astype(np.float32)[None]
    found = attend(
        q.transpose(1, 0, 2)[None], stored, stored, np.ones((1, 1, 1, nodes, count), bool)
    )
    assert np.array_equal(found, expected)
