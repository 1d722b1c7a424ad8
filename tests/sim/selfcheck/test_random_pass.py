import random

import numpy as np

from tercel.config import PRESETS
from tercel.device.interface import Limits
from tercel_sim.selfcheck import random_cache, random_pass

MODEL = PRESETS["tiny"]
LIMITS = Limits(nodes=4, context=20, top_k=8)


def passes(count=400):
    return [
        random_pass(random.Random(seed), MODEL, LIMITS, length=seed % 21) for seed in range(count)
    ]


def test_passes_fill_the_context_but_no_more():
    ends = []
    for seed, chosen in enumerate(passes()):
        length = seed % 21 if chosen.restored is None else chosen.restored
        assert 1 <= len(chosen.parents) <= LIMITS.nodes
        ends.append(length + len(chosen.parents))
    assert max(ends) == LIMITS.context
    assert sum(end == LIMITS.context for end in ends) > 60
    assert min(ends) == 1


def test_all_that_a_pass_may_be_asked_comes():
    drawn = passes()
    asks = [chosen.ask for chosen in drawn]
    assert {ask.top_k for ask in asks} >= {0, 1, 8}
    assert {bool(ask.logits) for ask in asks} == {bool(ask.hidden) for ask in asks} == {True, False}
    assert any(not ask.needs_head for ask in asks)
    assert {ask.head_rows for ask in asks if ask.head_rows} & {1, 17, 33, 95, 96}
    assert any(chosen.rows is not None and chosen.tokens is None for chosen in drawn)
    mixed = [chosen for chosen in drawn if isinstance(chosen.rows, dict)]
    assert any(len(chosen.rows) == len(chosen.parents) for chosen in mixed)
    assert any(0 < len(chosen.rows) < len(chosen.parents) for chosen in mixed)
    for chosen in mixed:
        given = {node for node, token in enumerate(chosen.tokens) if token is None}
        assert given == set(chosen.rows)
    assert any(ask.layer_mask for ask in asks)
    assert any(len({*chosen.parents}) < len(chosen.parents) for chosen in drawn)
    for chosen in drawn:
        if chosen.ask.layer_mask and not all(attention for attention, _ in chosen.ask.layer_mask):
            assert chosen.path is None


def test_paths_go_from_parent_to_child():
    for chosen in passes():
        if chosen.path is not None:
            assert chosen.path[0] == 0
            for parent, node in zip(chosen.path, chosen.path[1:], strict=False):
                assert chosen.parents[node] == parent


def test_a_pass_is_described():
    texts = [chosen.describe(3) for chosen in passes(50)]
    assert any("tokens with parents [-1, 0, " in text for text in texts)
    assert all("after 3 positions (" in text for text in texts)
    assert any("embedding rows, with parents [" in text for text in texts)


def test_a_cache_has_rows_of_all_positions():
    cache = random_cache(random.Random(2), MODEL, 20)
    view = cache.view(1, 20)
    assert cache.shape == (2, 2, 20, 16)
    assert np.abs(view.keys.astype(int)).max() == 127
    exponents = view.value_scales >> 7
    assert 100 < exponents.min() <= exponents.max() < 140
    assert random_cache(random.Random(2), MODEL, 0).shape[2] == 1
