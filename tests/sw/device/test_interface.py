"""Requests that every device refuses, and their messages."""

import dataclasses
import re

import numpy as np
import pytest

from tercel.device import Ask, Counters, KVCache
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError


@pytest.fixture
def device(tiny):
    device = EmulatorDevice(tiny, nodes=4, context=20)
    device.prefill([1, 2, 3])
    return device


def rows_with(value):
    rows = np.zeros((3, 64))
    rows[1:, 7] = value
    return rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either tokens or embedding_rows"),
        ({"tokens": []}, "a pass takes 1 to 4 nodes, not 0"),
        ({"tokens": [1] * 5}, "a pass takes 1 to 4 nodes, not 5"),
        ({"tokens": [96]}, r"token ids must be in 0..95, but one is 96"),
        ({"tokens": [-1]}, r"token ids must be in 0..95, but one is -1"),
        ({"embedding_rows": np.zeros((1, 63), np.float32)}, r"shape \(N, 64\), not \(1, 63\)"),
        (
            {"embedding_rows": rows_with(np.nan)},
            "finite as float32, but row 1 has NaN or infinity",
        ),
        ({"embedding_rows": rows_with(-np.inf)}, "finite as float32, but row 1 has NaN or inf"),
        ({"embedding_rows": rows_with(1e39)}, "finite as float32, but row 1 has NaN or infin"),
        ({"embedding_rows": {0: np.zeros(64)}}, "by node come beside tokens; give the other"),
        (
            {"tokens": [1], "embedding_rows": np.zeros((1, 64))},
            "exactly one of them; for some nodes each, give rows as a mapping",
        ),
        (
            {"tokens": [1, None], "embedding_rows": {2: np.zeros(64)}},
            r"embedding_rows may name the nodes 0\.\.1, not 2",
        ),
        (
            {"tokens": [1, 5], "embedding_rows": {1: np.zeros(64)}},
            "node 1 has the token 5 and a row in embedding_rows; its token must be None",
        ),
        (
            {"tokens": [None, None], "embedding_rows": {1: np.zeros(64)}},
            "token ids must be integers, but one is None",
        ),
        (
            {"tokens": [1, None], "embedding_rows": {1: np.zeros(63)}},
            r"embedding_rows\[1\] must have the shape \(64,\), not \(63,\)",
        ),
        (
            {"tokens": [1, None], "embedding_rows": {1: np.full(64, np.nan)}},
            "finite as float32, but row 1 has NaN or infinity",
        ),
        ({"tokens": [1], "base": 2}, "base 2 rewinds over the 3 committed positions"),
        ({"tokens": [1], "base": 4}, "base 4 leaves a gap after the 3 committed positions"),
        ({"tokens": [1, 2], "parents": [-1]}, "2 nodes need as many parents, not 1"),
        ({"tokens": [1, 2], "parents": [0, 0]}, r"parents\[0\] is 0"),
        ({"tokens": [1, 2], "parents": [-1, 1]}, r"parents\[1\] is 1"),
        ({"tokens": [1, 2], "parents": [-1, -1]}, r"parents\[1\] is -1"),
        ({"tokens": [1], "ask": Ask(head_rows=0)}, r"head_rows must be in 1..96, not 0"),
        ({"tokens": [1], "ask": Ask(head_rows=97)}, r"head_rows must be in 1..96, not 97"),
        ({"tokens": [1], "ask": Ask(top_k=65)}, r"top_k must be in 0..64, not 65"),
        ({"tokens": [1], "ask": Ask(top_k=9, head_rows=8)}, r"top_k must be in 0..8, not 9"),
        ({"tokens": [1], "ask": Ask(logits=(1,))}, r"logits may name the nodes 0..0, not 1"),
        ({"tokens": [1], "ask": Ask(hidden=(-1,))}, r"hidden may name the nodes 0..0, not -1"),
        ({"tokens": [1], "ask": Ask(layer_mask=())}, "one pair for each of the 2 layers, not 0"),
    ],
)
def test_bad_passes_are_refused_and_change_nothing(device, arguments, message):
    before = device.counters
    with pytest.raises(TercelError, match=message):
        device.run_pass(**arguments)
    assert device.counters == before
    assert device.length == 3


def test_over_length(device):
    device.prefill(range(15))
    with pytest.raises(TercelError, match="3 nodes after 18 committed positions exceed the cont"):
        device.run_pass([1, 2, 3])
    with pytest.raises(TercelError, match="3 tokens after 18 committed positions exceed the con"):
        device.prefill([1, 2, 3])
    assert device.length == 18
    device.run_pass([1, 2])
    device.commit([0, 1])
    assert device.length == 20


def test_prefill_checks_all_tokens_first(device):
    with pytest.raises(TercelError, match="one is 96"):
        device.prefill([1, 2, 3, 4, 5, 96])
    assert device.length == 3


@pytest.mark.parametrize("token", [1.5, "a", None, np.float32(2)])
def test_tokens_are_integers(device, token):
    with pytest.raises(TercelError, match="token ids must be integers, but one is"):
        device.run_pass([1, token])


@pytest.mark.parametrize("path", [[], [1], [0, 2], [0, 2, 3], [0, 0], [0, 4]])
def test_commit_refuses_what_is_no_path(device, path):
    device.run_pass([1, 2, 3, 4], parents=[-1, 0, 1, 1])
    with pytest.raises(TercelError, match="path"):
        device.commit(path)
    device.commit([0, 1, 2])


def test_commit_needs_a_pass(device):
    with pytest.raises(TercelError, match="there is no pass to commit"):
        device.commit([0])


@pytest.mark.parametrize(
    ("shape", "positions", "length", "message"),
    [
        ({"layers": 3}, 9, 9, "a cache of tiny has 2 layers with 2 KV heads of 16, .* has 3 with"),
        ({"kv_heads": 4}, 9, 9, "but this one has 2 with 4 of 16; is it another model's"),
        ({"head_size": 32}, 9, 9, "but this one has 2 with 2 of 32"),
        ({}, 9, 10, r"length must be in 0\.\.9, the cache's own, not 10"),
        ({}, 9, -1, r"length must be in 0\.\.9, the cache's own, not -1"),
        ({}, 64, 21, "21 positions exceed the context of 20; restore fewer or open the device"),
    ],
)
def test_bad_caches_are_refused_and_change_nothing(device, shape, positions, length, message):
    config = dataclasses.replace(device.config, **shape)
    device.run_pass([1])
    with pytest.raises(TercelError, match=message):
        device.restore(KVCache(config=config, positions=positions), length)
    assert device.length == 3
    device.commit([0])


@pytest.mark.parametrize(
    ("context", "length", "remedy"),
    [
        (20, 18, "or open the device with a larger context, the model's maximum is 64"),
        (64, 62, "since 64 positions are the model's maximum"),
    ],
)
def test_a_larger_context_is_advised_where_the_model_has_one(tiny, context, length, remedy):
    device = EmulatorDevice(tiny, nodes=4, context=context)
    device.prefill([1] * length)
    message = f"3 {{}} after {length} committed positions exceed the context of {context}; {{}} "
    for call, what, first in (
        (device.run_pass, "nodes", "reset()"),
        (device.prefill, "tokens", "shorten the prompt"),
    ):
        with pytest.raises(TercelError, match=re.escape(message.format(what, first) + remedy)):
            call([1, 2, 3])


def test_counters_add_and_subtract():
    a = Counters(passes=1, nodes=2, tape_bytes_read=30, kv_bytes_read=4, kv_bytes_written=5)
    assert a + a - a == a
    assert a.bytes_read == 34


def test_a_rewound_cache_gives_the_bits_of_a_shorter_text(tiny):
    first, second = EmulatorDevice(tiny), EmulatorDevice(tiny)
    first.prefill([1, 2, 3, 4, 5, 6])
    first.run_pass([7, 8])
    first.rewind(3)
    second.prefill([1, 2, 3])
    results = [device.run_pass([9, 10], ask=Ask(logits=(0, 1))) for device in (first, second)]
    assert np.array_equal(*([result.logits[node] for node in (0, 1)] for result in results))
    with pytest.raises(TercelError, match=r"length must be in 0\.\.3, the committed, not 4"):
        first.rewind(4)
    first.rewind(2)
    with pytest.raises(TercelError, match="there is no pass to commit"):
        first.commit([0])
