"""The emulator: K nodes in one pass equal K single passes, in every order and split."""

import dataclasses

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, ImageBuilder, random_image

TOKENS = [5, 17, 3, 88, 41, 2, 60, 9, 33, 71, 12, 95]


def all_of(nodes):
    return Ask(top_k=5, logits=tuple(range(nodes)), hidden=tuple(range(nodes)))


def same(a, node_a, b, node_b):
    """Assert that a node of one pass has the same bits as a node of another."""
    for field in ("argmax", "top_ids", "top_logits", "logsumexp"):
        assert np.array_equal(getattr(a, field)[node_a], getattr(b, field)[node_b]), field
    assert np.array_equal(a.logits[node_a], b.logits[node_b])
    assert np.array_equal(a.hidden[node_a], b.hidden[node_b])


def singles(image, tokens):
    """One pass for each token."""
    device = EmulatorDevice(image)
    results = []
    for token in tokens:
        results.append(device.run_pass([token], ask=all_of(1)))
        device.commit([0])
    return device, results


def test_a_chain_equals_single_passes(image):
    _, expected = singles(image, TOKENS)
    device = EmulatorDevice(image, nodes=len(TOKENS))
    result = device.run_pass(TOKENS, ask=all_of(len(TOKENS)))
    for node in range(len(TOKENS)):
        same(result, node, expected[node], 0)


@pytest.mark.parametrize("nodes", [1, 3, 5, 12])
def test_prefill_in_any_chunks_leaves_the_same_cache(image, nodes):
    _, expected = singles(image, [*TOKENS, 50])
    device = EmulatorDevice(image, nodes=nodes)
    device.prefill(TOKENS)
    assert device.length == len(TOKENS)
    same(device.run_pass([50], ask=all_of(1)), 0, expected[-1], 0)


def test_appending_turns_equals_one_prompt(image):
    device = EmulatorDevice(image, nodes=4)
    device.prefill(TOKENS[:5])
    device.prefill(TOKENS[5:6])
    device.prefill(TOKENS[6:])
    whole = EmulatorDevice(image, nodes=8)
    whole.prefill(TOKENS)
    same(device.run_pass([1], ask=all_of(1)), 0, whole.run_pass([1], ask=all_of(1)), 0)


def test_every_node_of_a_shuffled_tree_equals_its_path(image):
    """Nodes may come in any order that puts parents first."""
    parents = [-1, 0, 0, 1, 1, 2, 4, 4]
    tokens = [5, 17, 17, 30, 31, 30, 8, 9]
    prefix = [40, 41, 42, 43, 44]
    rng = np.random.default_rng(0)
    for _ in range(3):
        order = [0]
        while len(order) < len(parents):
            ready = [n for n in range(len(parents)) if n not in order and parents[n] in order]
            order.append(int(rng.choice(ready)))
        device = EmulatorDevice(image)
        device.prefill(prefix)
        result = device.run_pass(
            [tokens[n] for n in order],
            parents=[-1] + [order.index(parents[n]) for n in order[1:]],
            ask=all_of(len(parents)),
        )
        for place, node in enumerate(order):
            path = [node]
            while parents[path[0]] >= 0:
                path.insert(0, parents[path[0]])
            _, expected = singles(image, prefix + [tokens[n] for n in path])
            same(result, place, expected[-1], 0)


def test_committing_a_path_equals_decoding_it(image):
    device = EmulatorDevice(image)
    device.prefill([40, 41, 42])
    device.run_pass([5, 6, 7, 8, 9], parents=[-1, 0, 0, 2, 3])
    device.commit([0, 2, 3])
    assert device.length == 6
    _, expected = singles(image, [40, 41, 42, 5, 7, 8, 20])
    same(device.run_pass([20], ask=all_of(1)), 0, expected[-1], 0)


def test_a_pass_without_commit_is_forgotten(image):
    device = EmulatorDevice(image)
    device.prefill([40, 41])
    device.run_pass([1, 2, 3])
    _, expected = singles(image, [40, 41, 9])
    same(device.run_pass([9], ask=all_of(1)), 0, expected[-1], 0)


def test_reset_starts_anew(image):
    device, first = singles(image, TOKENS[:3])
    device.reset()
    assert device.length == 0
    same(device.run_pass(TOKENS[:3], ask=all_of(3)), 2, first[2], 0)


@pytest.mark.parametrize("kept", [0, 4, 7])
def test_a_restored_cache_is_gone_on_from(image, kept):
    device = EmulatorDevice(image)
    device.prefill(TOKENS[:7])
    cache = device.save()
    assert cache.shape[2] == 7
    device.prefill(TOKENS[7:])
    device.run_pass([1])
    other = EmulatorDevice(image, nodes=3, context=9)
    for restored in (device, other):
        restored.restore(cache, kept)
        assert restored.length == kept
        with pytest.raises(TercelError, match="there is no pass to commit"):
            restored.commit([0])
        expected = singles(image, [*TOKENS[:kept], 30, 20])[1]
        same(restored.run_pass([30], ask=all_of(1)), 0, expected[-2], 0)
        restored.commit([0])
        same(restored.run_pass([20], ask=all_of(1)), 0, expected[-1], 0)


def test_embedding_rows_replace_tokens(image):
    device = EmulatorDevice(image)
    rows = image.float_rows("embedding", [5, 17])
    given = device.run_pass(embedding_rows=rows, ask=all_of(2))
    taken = device.run_pass([5, 17], ask=all_of(2))
    same(given, 1, taken, 1)


def test_an_embedding_given_beside_tokens_equals_its_token(image):
    device = EmulatorDevice(image)
    expected = device.run_pass([5, 17, 3], ask=all_of(3))
    row = device.embed([17])
    assert row.dtype == np.float32
    assert row.shape == (1, image.config.hidden_size)
    mixed = device.run_pass([5, None, 3], embedding_rows={1: row[0]}, ask=all_of(3))
    for node in range(3):
        same(mixed, node, expected, node)
    with pytest.raises(TercelError, match="token ids must be in"):
        device.embed([image.config.vocab_size])


def test_head_rows_limit_the_vocabulary(image):
    device = EmulatorDevice(image)
    whole = device.run_pass([5, 6], ask=all_of(2))
    part = device.run_pass([5, 6], ask=dataclasses.replace(all_of(2), head_rows=33))
    for node in range(2):
        assert np.array_equal(part.logits[node], whole.logits[node][:33])
        assert part.argmax[node] == whole.logits[node][:33].argmax()
    assert part.counters.tape_bytes_read < whole.counters.tape_bytes_read


def test_skipping_the_last_layer_equals_a_shorter_model(tmp_path, tiny):
    short = dataclasses.replace(tiny.config, layers=1)
    builder = ImageBuilder(config=short)
    for name in short.linears():
        name = f"layers.0.{name}"
        builder.ternary(name, tiny.ternary(name), float(tiny.weight_scale(name)))
    for name in ("layers.0.attention_norm", "layers.0.mlp_norm", "norm"):
        builder.gain(name, tiny.gain(name))
    builder.rows("embedding", *tiny.rows("embedding"))
    builder.write(tmp_path / "short.tercel")
    expected = EmulatorDevice(Image.open(tmp_path / "short.tercel")).run_pass([5, 6], ask=all_of(2))
    device = EmulatorDevice(tiny)
    mask = ((True, True), (False, False))
    result = device.run_pass([5, 6], ask=dataclasses.replace(all_of(2), layer_mask=mask))
    same(result, 1, expected, 1)
    with pytest.raises(TercelError, match="with the attention of every layer"):
        device.commit([0])


def test_an_all_zero_model_gives_zero_logits(tmp_path):
    config = PRESETS["tiny"]
    builder = ImageBuilder(config=config)
    for layer in range(config.layers):
        for name, shape in config.linears().items():
            builder.ternary(f"layers.{layer}.{name}", np.zeros(shape, np.int8), 0.0)
        for name, width in config.norms().items():
            builder.gain(f"layers.{layer}.{name}", np.zeros(width, np.float32))
    builder.gain("norm", np.zeros(config.hidden_size, np.float32))
    rows = np.zeros((config.vocab_size, config.hidden_size), np.int8)
    builder.rows("embedding", rows, np.zeros(config.vocab_size, np.float32))
    builder.write(tmp_path / "zero.tercel")
    device = EmulatorDevice(Image.open(tmp_path / "zero.tercel"))
    result = device.run_pass([1, 2], ask=all_of(2))
    assert not result.logits[1].any()
    assert result.argmax.tolist() == [0, 0]
    assert np.abs(result.logsumexp - np.log(config.vocab_size)).max() < 1e-6


def test_both_weight_codes_give_the_same_bits(tmp_path):
    from tercel.image import LAYOUTS

    results = []
    for name, layout in LAYOUTS.items():
        random_image(tmp_path / name, PRESETS["tiny"], layout=layout, seed=1)
        device = EmulatorDevice(Image.open(tmp_path / name))
        results.append(device.run_pass(TOKENS[:8], ask=all_of(8)))
    assert len(results) > 1
    for result in results[1:]:
        for node in range(8):
            same(result, node, results[0], node)


def test_large_models_are_held_as_bytes_with_the_same_result(image, monkeypatch):
    expected = EmulatorDevice(image).run_pass(TOKENS[:8], ask=all_of(8))
    monkeypatch.setattr("tercel.device.weights.FLOAT_WEIGHTS", 0)
    result = EmulatorDevice(image).run_pass(TOKENS[:8], ask=all_of(8))
    for node in range(8):
        same(result, node, expected, node)


def test_counters_count_the_tape_and_the_cache(tiny):
    device = EmulatorDevice(tiny)
    row = tiny.footprint.kv_per_position
    device.prefill([1, 2, 3])
    assert device.counters.passes == 1
    assert device.counters.nodes == 3
    assert device.counters.kv_bytes_written == 3 * row
    before = device.counters
    result = device.run_pass([4])
    assert result.counters == device.counters - before
    assert result.counters.kv_bytes_read == 3 * row
    assert result.counters.tape_bytes_read == tiny.bytes_per_pass(nodes=1)
    no_head = device.run_pass([4], ask=Ask(argmax=False))
    saved = result.counters.tape_bytes_read - no_head.counters.tape_bytes_read
    assert saved >= tiny.footprint.head


def test_an_ask_of_nothing_returns_nothing(tiny):
    result = EmulatorDevice(tiny).run_pass([4], ask=Ask(argmax=False))
    assert result.argmax is None
    assert result.top_ids is None
    assert not result.logits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": 0}, "at least 1 node a pass, not 0"),
        ({"context": 0}, r"context must be in 1..64, the model's, not 0"),
        ({"context": 65}, r"context must be in 1..64, the model's, not 65"),
    ],
)
def test_constructor_errors(tiny, options, message):
    with pytest.raises(TercelError, match=message):
        EmulatorDevice(tiny, **options)
