from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.speculation.drafters.ngram_store import (
    EMPTY_KEY,
    LEVELS,
    NgramStore,
    context_keys,
    extend_key,
)


def key_of(context):
    key = EMPTY_KEY
    for token in context:
        key = extend_key(key, token)
    return key


def make_store(table, dtype=np.uint16):
    """A store of ``{context, newest first: (level of the backoff, [(token, level)])}``."""
    contexts = sorted(table, key=key_of)
    successors = [table[context][1] for context in contexts]
    return NgramStore(
        keys=np.array([key_of(context) for context in contexts], np.uint32),
        starts=np.cumsum([0, *map(len, successors)]).astype(np.uint32),
        backoffs=np.array([table[context][0] for context in contexts], np.uint8),
        ids=np.array([token for found in successors for token, _ in found], dtype),
        levels=np.array([level for found in successors for _, level in found], np.uint8),
    )


TABLE = {
    (): (40, [(5, 20), (6, 30)]),
    (5,): (16, [(6, 8), (7, 20)]),
    (6, 5): (32, [(9, 2)]),
}


def test_candidates_are_those_of_the_longest_context_and_then_of_its_ends():
    found = make_store(TABLE).candidates((6, 5, 1))
    # (6, 5) is stored, (6,) is not: the empty context follows, behind one backoff
    assert found.ids.tolist() == [9, 5, 6]
    assert found.log_probabilities.tolist() == [-2 / 16, -(32 + 20) / 16, -(32 + 30) / 16]
    assert found.rest == pytest.approx(exp(-(32 + 40) / 16))


@pytest.mark.parametrize("context", [(), (8,), (8, 5)])
def test_an_unknown_context_has_the_candidates_of_the_empty_one(context):
    found = make_store(TABLE).candidates(context)
    assert found.ids.tolist() == [5, 6]
    assert found.rest == pytest.approx(exp(-40 / 16))


def test_a_token_stands_once_among_the_candidates_of_one_token():
    found = make_store(TABLE).candidates((5,))
    assert found.ids.tolist() == [6, 7, 5]
    assert found.log_probabilities.tolist() == [-8 / 16, -20 / 16, -(16 + 20) / 16]


tokens = st.integers(0, 70_000)
levels = st.integers(0, 255)


@given(
    table=st.dictionaries(
        st.lists(tokens, min_size=1, max_size=4).map(tuple),
        st.tuples(levels, st.lists(st.tuples(tokens, levels), max_size=4)),
        max_size=30,
    ),
    context=st.lists(tokens, max_size=4).map(tuple),
)
def test_it_equals_a_dictionary(table, context):
    table[()] = (255, [(3, 7)])
    store = make_store(table, np.uint32)
    for wanted in [context, *table]:
        expected, backoff = {}, 0
        for length in range(len(wanted), -1, -1):
            if (entry := table.get(wanted[:length])) is None:
                continue
            for token, level in entry[1]:
                expected.setdefault(token, -(backoff + level) / 16)
            backoff += entry[0]
        found = store.candidates(wanted)
        first = {}
        for token, value in zip(found.ids.tolist(), found.log_probabilities.tolist(), strict=True):
            first.setdefault(token, value)
        assert first == expected
        assert found.rest == pytest.approx(exp(-backoff / 16))


def test_successors_are_those_of_one_context():
    store = make_store(TABLE)
    assert store.successors((5,), 9) == [(6, exp(-8 / 16)), (7, exp(-20 / 16))]
    assert store.successors((5,), 1) == [(6, exp(-8 / 16))]
    assert store.successors((6, 5, 1), 9) == []


def test_keys_of_arrays_are_those_of_tokens():
    contexts = np.random.default_rng(0).integers(0, 130_000, (500, 3))
    keys = np.full(500, EMPTY_KEY, np.uint32)
    for column in contexts.T:
        keys = context_keys(keys, column)
    assert keys.tolist() == [key_of(context) for context in contexts.tolist()]
    assert len(set(keys.tolist())) == 500
    assert LEVELS[16] == -1


def test_arrays_that_do_not_fit_are_refused():
    tensors = make_store(TABLE).tensors
    for name, value in (
        ("starts", tensors["starts"][:-1]),
        ("levels", tensors["levels"][1:]),
        ("backoffs", tensors["backoffs"][1:]),
        ("starts", tensors["starts"] + np.uint32(1)),
    ):
        with pytest.raises(TercelError, match="do not fit together"):
            NgramStore.of_tensors(tensors | {name: value})
    with pytest.raises(TercelError, match="must have the empty context"):
        NgramStore.of_tensors(tensors | {"keys": np.arange(3, dtype=np.uint32)})
    del tensors["ids"]
    with pytest.raises(TercelError, match="no array 'ids'"):
        NgramStore.of_tensors(tensors)
