"""A program on an interpreted accelerator gives the emulator's bits."""

import dataclasses
from collections.abc import Mapping
from functools import partial

import numpy as np
import pytest

from tercel.device import Ask
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError

TOKENS = [5, 17, 3, 88, 41, 2, 60, 9, 33, 71, 12, 80]
TREE = [-1, 0, 0, 1, 1, 2, 4]


@pytest.fixture
def pair_of(spec, board):
    """The accelerator and the emulator of an image, with the same nodes and positions."""

    def make(image, **fields):
        built = spec(image, **fields)
        accelerator = AcceleratorDevice(image, board(built), spec=built, context=48)
        return accelerator, EmulatorDevice(image, nodes=built.nodes, context=48)

    return make


@pytest.fixture
def devices(image, pair_of):
    return partial(pair_of, image)


def all_of(nodes, **fields):
    return Ask(top_k=5, logits=tuple(range(nodes)), hidden=tuple(range(nodes)), **fields)


def assert_same(pair, *args, commit=None, **kwargs):
    """Run a pass on both, compare all results, commit a path, and return the accelerator's."""
    mine, golden = (device.run_pass(*args, **kwargs) for device in pair)
    for field in dataclasses.fields(golden):
        if not field.compare:
            continue
        a, b = getattr(mine, field.name), getattr(golden, field.name)
        if isinstance(b, Mapping):
            assert a.keys() == b.keys(), field.name
            assert all(np.array_equal(a[node], b[node]) for node in b), field.name
            assert all(a[node].dtype == b[node].dtype for node in b), field.name
        elif isinstance(b, np.ndarray):
            assert np.array_equal(a, b), field.name
            assert a.dtype == b.dtype, field.name
        else:
            assert a == b, field.name
    if commit is not None:
        for device in pair:
            device.commit(commit)
        assert pair[0].length == pair[1].length
    assert pair[0].counters == pair[1].counters
    return mine


@pytest.mark.parametrize("kept", [0, 7, 12])
def test_either_goes_on_from_the_others_cache(devices, kept):
    mine, golden = devices()
    for device in (mine, golden):
        device.prefill(TOKENS)
    saved = mine.save(), golden.save()
    assert saved[0].shape == saved[1].shape
    for layer in range(mine.config.layers):
        views = [cache.view(layer, len(TOKENS)) for cache in saved]
        for field in dataclasses.fields(views[0]):
            a, b = (getattr(view, field.name) for view in views)
            assert np.array_equal(a, b), field.name
    for device, cache in zip((mine, golden), reversed(saved), strict=True):
        device.reset()
        device.prefill(TOKENS[::-1])
        device.restore(cache, kept)
        assert device.length == kept
    assert_same((mine, golden), TOKENS[:4], ask=all_of(4), parents=TREE[:4], commit=[0, 2])
    assert_same((mine, golden), [1], ask=all_of(1), commit=[0])


@pytest.mark.parametrize("kept", [0, 5, 12])
def test_both_go_on_after_a_rewind(devices, kept):
    pair = devices()
    for device in pair:
        device.prefill(TOKENS)
        device.run_pass(TOKENS[:2])
        device.rewind(kept)
        assert device.length == kept
    assert_same(pair, TOKENS[:4], ask=all_of(4), parents=TREE[:4], commit=[0, 2])
    assert_same(pair, [1], ask=all_of(1), commit=[0])


def test_prefill_then_decode(devices):
    pair = devices()
    for device in pair:
        device.prefill(TOKENS)
    for token in (1, 50):
        assert_same(pair, [token], ask=all_of(1), commit=[0])


@pytest.mark.parametrize("nodes", [1, 3, 16])
def test_any_number_of_lanes(devices, nodes):
    pair = devices(nodes=nodes)
    for count in (1, nodes):
        assert_same(pair, TOKENS[:count], ask=all_of(min(count, 12)), commit=range(min(count, 12)))


@pytest.mark.parametrize("path", [[0], [0, 1], [0, 2, 5], [0, 1, 4, 6]])
def test_trees_and_their_paths(devices, path):
    pair = devices()
    assert_same(pair, TOKENS[:3], commit=[0, 1, 2])
    assert_same(pair, TOKENS[:7], parents=TREE, ask=all_of(7), commit=path)
    assert_same(pair, TOKENS[7:10], ask=all_of(3), commit=[0])
    assert_same(pair, TOKENS[:7], parents=TREE, ask=all_of(7), commit=path)
    assert_same(pair, [4], ask=all_of(1))


@pytest.mark.parametrize(
    "ask",
    [
        Ask(),
        Ask(argmax=False),
        Ask(argmax=False, hidden=(1,)),
        Ask(argmax=False, logits=(2, 0)),
        Ask(argmax=False, top_k=3),
        Ask(hidden=(2,)),
        Ask(top_k=8, head_rows=8, logits=(1,)),
        Ask(top_k=1, head_rows=33),
        Ask(argmax=True, head_rows=1),
    ],
)
def test_every_ask(devices, ask):
    pair = devices()
    assert_same(pair, TOKENS[:3], ask=ask, commit=[0, 1])
    assert_same(pair, TOKENS[3:6], ask=ask, parents=[-1, 0, 0])


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("hidden", [(), (0, 1)])
@pytest.mark.parametrize("last", [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("first", [(True, True), (False, True), (False, False)])
def test_layer_masks(devices, first, last, hidden, head):
    pair = devices()
    layers = pair[0].config.layers
    mask = (first, *((True, True),) * (layers - 2), last)
    assert_same(pair, TOKENS[:5], commit=[0, 1, 2])
    assert_same(pair, TOKENS[5:7], ask=Ask(argmax=head, hidden=hidden, layer_mask=mask))


def test_rows_instead_of_tokens(devices):
    pair = devices()
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(3, pair[0].config.hidden_size)).astype(np.float32)
    rows[1, :5] = [1e-40, -1e-40, 0.0, -0.0, 1e30]
    assert_same(pair, embedding_rows=rows, ask=all_of(3), commit=[0, 1])
    assert_same(pair, embedding_rows=rows[:1].astype(np.float64), ask=all_of(1))
    nothing = ((False, False),) * pair[0].config.layers
    assert_same(pair, embedding_rows=rows, ask=all_of(3, layer_mask=nothing))


@pytest.mark.parametrize("given", [(0,), (2, 1), (0, 1, 3, 4, 5, 6)])
def test_rows_beside_tokens(devices, given):
    pair = devices()
    assert_same(pair, TOKENS[:3], commit=[0, 1, 2])
    rng = np.random.default_rng(5)
    width = pair[0].config.hidden_size
    rows = {node: rng.normal(size=width).astype(np.float32) for node in given}
    rows[given[0]][:3] = [1e-40, -0.0, 1e30]
    tokens = [None if node in rows else token for node, token in enumerate(TOKENS[:7])]
    mixed = {"embedding_rows": rows, "parents": TREE, "ask": all_of(7)}
    assert_same(pair, tokens, **mixed, commit=[0, 2, 5])
    own = dict(zip(given, pair[0].embed([TOKENS[node] for node in given]), strict=True))
    mixed["embedding_rows"] = own
    result = assert_same(pair, tokens, **mixed)
    expected = assert_same(pair, TOKENS[:7], parents=TREE, ask=all_of(7))
    assert np.array_equal(result.top_logits, expected.top_logits)
    assert all(np.array_equal(result.hidden[node], expected.hidden[node]) for node in range(7))


def test_logits_are_read_before_the_next_pass(devices):
    pair = devices()
    for device in pair:
        device.prefill(TOKENS)
    ask = Ask(logits=(0, 1))
    mine, golden = (device.run_pass([3, 4], ask=ask) for device in pair)
    rows = np.array([5, 0, 40])
    assert np.array_equal(mine.logits_at(1, rows), golden.logits[1][rows])
    assert np.array_equal(mine.logits[0], golden.logits[0])
    pair[0].commit([0])
    assert np.array_equal(mine.logits_at(1, rows), golden.logits_at(1, rows))
    pair[0].run_pass([7], ask=Ask(argmax=False))
    assert np.array_equal(mine.logits[0], golden.logits[0])
    with pytest.raises(TercelError, match="next pass has replaced these results; read them before"):
        mine.logits_at(1, rows)


def test_a_full_cache(devices):
    pair = devices()
    for start in range(0, 48, 8):
        assert_same(pair, [(start + i) % 90 for i in range(8)], ask=all_of(8), commit=range(8))
    for device in pair:
        device.reset()
    assert_same(pair, TOKENS[:2], ask=all_of(2))


def test_the_first_tape_comes_while_rows_are_loaded(image, spec, board):
    """The program in memory also has the length in the register."""
    built = spec(image)
    mine = board(built)
    AcceleratorDevice(image, mine, spec=built).run_pass(TOKENS[:2])
    (program,) = mine.programs
    assert program[:3, 0].tolist() == [1, 5, 2]
    assert program[-1, 0] == 13


def test_scales_of_rows_and_groups(scaled_image, pair_of):
    """Trees, masks, given rows, limits of the head, and nothing but an embedding."""
    pair = pair_of(scaled_image)
    for device in pair:
        device.prefill(TOKENS)
    assert_same(pair, TOKENS[:7], parents=TREE, ask=all_of(7), commit=[0, 2, 5])
    for rows in (5, 16, 33, 90):
        assert_same(pair, TOKENS[:2], ask=all_of(2, head_rows=rows))
    nothing = ((False, False),) * pair[0].config.layers
    assert_same(pair, TOKENS[:3], ask=all_of(3, layer_mask=nothing))
    assert_same(pair, TOKENS[:3], ask=Ask(argmax=False, layer_mask=nothing, hidden=(0, 2)))
    row = np.random.default_rng(5).normal(size=pair[0].config.hidden_size).astype(np.float32)
    mixed = {"embedding_rows": {1: row}, "parents": [-1, 0, 0]}
    assert_same(pair, [7, None, 90], **mixed, ask=all_of(3), commit=[0, 1])
    assert_same(pair, [4], ask=all_of(1))


def test_two_stages_and_the_whole_head(listed_image, pair_of):
    """The rows that count, ranks, masks of layers, nothing but an embedding."""
    pair = pair_of(listed_image)
    for device in pair:
        device.prefill(TOKENS)
    asked = {"two_stage": True, "top_k": 8}
    assert_same(pair, TOKENS[:7], parents=TREE, ask=Ask(**asked), commit=[0, 2, 5])
    assert_same(pair, TOKENS[:3], ask=all_of(3), commit=[0])
    for rows in (9, 16, 33, 70, 125):
        assert_same(pair, TOKENS[:2], ask=Ask(head_rows=rows, **asked))
    assert_same(pair, TOKENS[:8], ask=Ask(two_stage=True, hidden=(0, 7)), commit=[0, 1])
    nothing = ((False, False),) * pair[0].config.layers
    assert_same(pair, TOKENS[:1], ask=Ask(two_stage=True, hidden=(0,), layer_mask=nothing))


def test_a_larger_shortlist_than_the_accelerators_is_played_as_a_whole_head(listed_image, pair_of):
    pair = pair_of(listed_image, shortlist=0)
    assert_same(pair, TOKENS[:2], ask=all_of(2))
    with pytest.raises(TercelError, match="two_stage needs a device whose two-stage head lists"):
        pair[0].run_pass(TOKENS[:2], ask=Ask(two_stage=True))
