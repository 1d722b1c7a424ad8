import dataclasses

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device import KVCache
from tercel.numerics import quantise_cache

CONFIG = dataclasses.replace(PRESETS["tiny"], layers=2)
FIELDS = ("keys", "values", "key_scales", "value_scales")


@pytest.fixture
def rows():
    """Keys and values of six positions for each layer."""
    draw = np.random.default_rng(1)
    shape = 2, 2, 6, CONFIG.kv_heads, CONFIG.head_size
    return draw.normal(size=shape).astype(np.float32)


@pytest.fixture
def cache(rows):
    cache = KVCache(config=CONFIG, positions=8)
    for layer, (keys, values) in enumerate(rows):
        cache.write(layer, 0, keys, values)
    return cache


def taken(cache, layer, positions):
    view = cache.view(layer, 8)
    return [getattr(view, name)[:, positions].tolist() for name in FIELDS]


def test_rows_are_quantised_one_by_one(cache, rows):
    assert cache.shape == (2, CONFIG.kv_heads, 8, CONFIG.head_size)
    for layer in range(2):
        view = cache.view(layer, 6)
        for which, (data, scales) in enumerate(
            ((view.keys, view.key_scales), (view.values, view.value_scales))
        ):
            for position in range(6):
                expected, scale = quantise_cache(rows[layer, which, position : position + 1])
                assert np.array_equal(data[:, position], expected[0])
                assert np.array_equal(scales[:, position], scale[0])
    assert not any(np.any(part) for part in taken(cache, 1, [6, 7]))


def test_rows_are_written_from_a_slot_on(cache, rows):
    before = taken(cache, 0, [0, 1, 2, 5]), taken(cache, 1, range(8))
    cache.write(0, 3, *rows[1, :, :2])
    assert taken(cache, 0, [3, 4]) == taken(cache, 1, [0, 1])
    assert (taken(cache, 0, [0, 1, 2, 5]), taken(cache, 1, range(8))) == before


@pytest.mark.parametrize("path", [[0], [0, 2], [0, 1, 3], [0, 3]])
def test_a_path_is_gathered_in_all_layers(cache, path):
    before = [taken(cache, layer, [0, 1, *(2 + node for node in path)]) for layer in range(2)]
    cache.gather(2, path)
    assert [taken(cache, layer, range(2 + len(path))) for layer in range(2)] == before


def test_stored_positions_are_taken_over(cache):
    other = KVCache(config=CONFIG, positions=5)
    other.store(1, cache.view(1, 4))
    assert not any(np.any(part) for part in taken(other, 0, slice(5)))
    assert taken(other, 1, slice(4)) == taken(cache, 1, slice(4))
    assert not any(np.any(part) for part in taken(other, 1, [4]))


def test_bytes_of_a_position(cache):
    view = cache.view(0, 1)
    assert KVCache.position_bytes(CONFIG) == sum(getattr(view, name).nbytes for name in FIELDS)
