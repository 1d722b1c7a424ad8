"""Attention against its written definition in Python integers, and against real softmax."""

import numpy as np
import pytest

from tercel import numerics
from tercel.numerics import CacheView, Quantised
from tercel.numerics.functions import exp2_significands


def random_case(seed, nodes, positions, heads, kv_heads, size, spread=1.0):
    rng = np.random.default_rng(seed)
    q = numerics.quantise(rng.normal(0, spread, (nodes, heads, size)).astype(np.float32))
    cache = []
    for _ in range(2):
        rows = rng.normal(0, spread, (kv_heads, positions, size))
        rows *= np.exp(rng.normal(0, 1, (kv_heads, positions, 1)))
        cache.extend(numerics.quantise_cache(rows.astype(np.float32)))
    keys, key_scales, values, value_scales = cache
    view = CacheView(keys=keys, key_scales=key_scales, values=values, value_scales=value_scales)
    return q, view


def chain(nodes):
    return np.tri(nodes, dtype=bool)


def shift_round(x, n):
    return (x + (1 << (n - 1))) >> n if n else x


def scalar_attend(q, scale, cache, head, visible):
    """One query of one KV head over the visible positions, in Python integers."""
    f = np.float32
    size = q.shape[-1]
    constant = numerics.multiply(f([scale]), f(1.4426950408889634) / np.sqrt(f(size)))[0]
    t = []
    for position in visible:
        score = sum(int(a) * int(b) for a, b in zip(q, cache.keys[head, position], strict=True))
        key_scale = numerics.bfloat16_value(cache.key_scales[head, position : position + 1])[0]
        unit = numerics.multiply(f([constant]), key_scale)
        t.append(int(numerics.fixed(numerics.multiply(f([score]), unit), 9, 18)[0]))
    bits = [int(cache.value_scales[head, position]) for position in visible]
    exponents = [(b >> 7) - 127 for b in bits]
    mantissas = [(b & 127) | 128 if b >> 7 else 0 for b in bits]
    top, largest = max(t), max(exponents)
    table = exp2_significands()
    total, sums = 0, [0] * size
    for j, position in enumerate(visible):
        octaves, significand = (top - t[j] + 511) // 512, int(table[(t[j] - top) % 512])
        total += shift_round(significand << 4, octaves)
        weight = shift_round(significand * mantissas[j], 6 + octaves + largest - exponents[j])
        for d in range(size):
            sums[d] += weight * int(cache.values[head, position, d])
    inverse = numerics.reciprocal(f([total]))
    scale = numerics.flush(np.ldexp(inverse, largest + 3))
    return numerics.multiply(np.array(sums, np.int64).astype(f), scale)


@pytest.mark.parametrize(
    ("nodes", "past", "heads", "kv_heads", "size", "spread"),
    [(1, 0, 1, 1, 16, 1), (3, 9, 4, 2, 16, 1), (2, 40, 2, 2, 96, 2), (4, 17, 8, 2, 32, 30)],
)
def test_equals_the_written_definition(nodes, past, heads, kv_heads, size, spread):
    q, cache = random_case(1, nodes, past + nodes, heads, kv_heads, size, spread)
    output = numerics.attend(q, cache, chain(nodes)).reshape(nodes, heads, size)
    for node in range(nodes):
        for head in range(heads):
            expected = scalar_attend(
                q.values[node, head],
                q.scale[node, head],
                cache,
                head * kv_heads // heads,
                range(past + node + 1),
            )
            assert output[node, head].tolist() == expected.tolist()


def test_is_close_to_softmax():
    q, cache = random_case(2, 4, 700, 8, 2, 64)
    output = numerics.attend(q, cache, chain(4)).reshape(4, 8, 64)
    keys = cache.keys * numerics.bfloat16_value(cache.key_scales)[..., None].astype(np.float64)
    values = cache.values * numerics.bfloat16_value(cache.value_scales)[..., None].astype(float)
    for node in range(4):
        for head in range(8):
            query = q.values[node, head] * q.scale[node, head].astype(np.float64)
            last = 697 + node
            logits = keys[head // 4, :last] @ query / 8
            weights = np.exp(logits - logits.max())
            expected = weights / weights.sum() @ values[head // 4, :last]
            error = np.abs(output[node, head] - expected).max()
            assert error < 2e-3 * np.abs(expected).max()


def test_the_order_of_positions_does_not_matter():
    q, cache = random_case(3, 1, 300, 4, 4, 32)
    order = np.append(np.random.default_rng(0).permutation(299), 299)
    shuffled = CacheView(
        keys=cache.keys[:, order],
        key_scales=cache.key_scales[:, order],
        values=cache.values[:, order],
        value_scales=cache.value_scales[:, order],
    )
    one = np.ones((1, 1), bool)
    assert (numerics.attend(q, cache, one) == numerics.attend(q, shuffled, one)).all()


def test_a_chain_equals_single_queries():
    q, cache = random_case(4, 8, 50, 4, 2, 32)
    together = numerics.attend(q, cache, chain(8))
    for node in range(8):
        last = 43 + node
        view = CacheView(
            keys=cache.keys[:, :last],
            key_scales=cache.key_scales[:, :last],
            values=cache.values[:, :last],
            value_scales=cache.value_scales[:, :last],
        )
        single = Quantised(values=q.values[node : node + 1], scale=q.scale[node : node + 1])
        alone = numerics.attend(single, view, np.ones((1, 1), bool))
        assert (alone[0] == together[node]).all()


def test_an_unseen_outlier_changes_nothing():
    q, cache = random_case(5, 2, 20, 2, 2, 16)
    siblings = np.array([[True, False], [False, True]])
    before = numerics.attend(q, cache, siblings)
    cache.keys[:, 18] = 127
    cache.key_scales[:, 18] = 0x4500
    cache.values[:, 18] = 127
    cache.value_scales[:, 18] = 0x4500
    after = numerics.attend(q, cache, siblings)
    assert (before[1] == after[1]).all()
    assert (before[0] != after[0]).any()


@pytest.mark.parametrize("key", [127, -127, 0], ids=["highest", "lowest", "middle"])
@pytest.mark.parametrize("unseen", [127, -127])
def test_what_a_query_does_not_see_has_no_weight(key, unseen):
    """All scores saturate at an end of their range, so only the masks can hide a position."""
    q, cache = random_case(7, 3, 6, 2, 1, 16)
    q.values[:] = 127
    q.scale[:] = 10.0
    cache.keys[:], cache.key_scales[:] = key, 0x4500  # Beyond the 18 bits of a score.
    cache.keys[:, 4] = unseen
    cache.value_scales[:, 4] = 0x4600
    siblings = np.array([[True, False, False], [True, True, False], [True, False, True]])
    output = numerics.attend(q, cache, siblings).reshape(3, 2, 16)
    for node, visible in enumerate(([0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 5])):
        for head in range(2):
            row, scale = q.values[node, head], q.scale[node, head]
            expected = scalar_attend(row, scale, cache, 0, visible)
            assert output[node, head].tolist() == expected.tolist()


def test_all_zero_values_and_keys_give_zero():
    q, cache = random_case(6, 2, 5, 2, 1, 16)
    for array in (cache.keys, cache.key_scales, cache.values, cache.value_scales):
        array[:] = 0
    assert not numerics.attend(q, cache, chain(2)).any()
