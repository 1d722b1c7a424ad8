from collections import Counter
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.speculation.drafters.ngram_store import EMPTY_KEY, extend_key
from tercel_quant.train_drafter.ngram import DISCOUNT, NgramConfig, build_store


def counted(tokens, config):
    """Contexts (newest first) and their successors, with levels, by dictionaries."""
    table = {}
    for length in range(config.order + 1):
        ends = range(max(1, length), len(tokens))  # the first token follows nothing
        context_of = {end: tuple(tokens[end - length : end][::-1]) for end in ends}
        occurrences = Counter(context_of.values())
        for context, total in occurrences.items():
            if length and total < config.least_count:
                continue
            # Its ends are at least as frequent, so they are there too.
            counts = Counter(tokens[end] for end in ends if context_of[end] == context)
            best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            least = config.least_count if length else 1
            kept = [item for item in best[: config.successors] if item[1] >= least]
            if not kept:
                continue
            chances = [(token, (count - DISCOUNT) / total) for token, count in kept]
            rest = 1 - sum(chance for _, chance in chances)
            table[context] = (level(rest), [(token, level(chance)) for token, chance in chances])
    return table


def level(probability):
    return min(255, round(-log(max(probability, 1e-9)) * 16))


def content(store):
    found = {}
    for place, key in enumerate(store.keys.tolist()):
        part = slice(*store.starts[place : place + 2].tolist())
        successors = zip(store.ids[part].tolist(), store.levels[part].tolist(), strict=True)
        found[key] = (int(store.backoffs[place]), list(successors))
    return found


def key_of(context):
    key = EMPTY_KEY
    for token in context:
        key = extend_key(key, token)
    return key


@given(
    tokens=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    order=st.integers(1, 4),
    successors=st.integers(1, 5),
    least_count=st.integers(1, 3),
)
def test_it_equals_counting_by_dictionaries(tokens, order, successors, least_count):
    config = NgramConfig(order=order, successors=successors, least_count=least_count)
    store = build_store(np.array(tokens, np.uint16), vocab_size=5, config=config)
    expected = counted(tokens, config)
    found = content(store)
    assert found.keys() == {key_of(context) for context in expected}
    for context, (backoff, listed) in expected.items():
        assert found[key_of(context)][1] == listed
        assert abs(found[key_of(context)][0] - backoff) <= 1  # a sum in another order


def test_the_rarest_contexts_are_left_out_to_fit():
    tokens = np.random.default_rng(0).zipf(1.3, 20_000) % 500
    whole = build_store(tokens, vocab_size=500, config=NgramConfig(order=3))
    assert sum(array.nbytes for array in whole.tensors.values()) > 20_000
    for most in (5_000, 18_000):
        store = build_store(tokens, vocab_size=500, config=NgramConfig(order=3, bytes=most))
        size = sum(array.nbytes for array in store.tensors.values())
        assert 0.6 * most < size <= most
        kept = content(store)
        assert kept.items() <= content(whole).items()
        assert EMPTY_KEY in kept
    # nothing but the successors of any token
    store = build_store(np.arange(9), vocab_size=9, config=NgramConfig())
    assert store.keys.tolist() == [EMPTY_KEY]


def test_ids_at_the_end_of_a_large_vocabulary():
    tokens = np.array([128_255, 7] * 40, np.uint32)
    store = build_store(tokens, vocab_size=128_256, config=NgramConfig(order=2))
    assert store.ids.dtype == np.uint32
    assert store.candidates((7, 128_255)).ids[0] == 128_255
    with pytest.raises(TercelError, match="token 128255, the vocabulary has 128255"):
        build_store(tokens, vocab_size=128_255, config=NgramConfig())


def test_a_text_without_two_tokens_is_refused():
    with pytest.raises(TercelError, match="2 tokens or more, not 1"):
        build_store(np.array([3]), vocab_size=9, config=NgramConfig())


@pytest.mark.parametrize("field", ["order", "successors", "least_count", "bytes"])
def test_fields_are_checked(field):
    with pytest.raises(TercelError, match=f"{field} of an n-gram store must be .*, not 0"):
        NgramConfig(**{field: 0})
