from random import Random

import numpy as np
import pytest

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafter_file import drafter_path, save_drafter
from tercel.speculation.drafters.adaptive_trigrams import AdaptiveTrigrams, TrigramWeights
from tercel.speculation.drafters.adaptive_trigrams import _choose as choose
from tercel.speculation.drafters.adaptive_trigrams import _Node as Node
from tercel.speculation.drafters.ngram_store import EMPTY_KEY, NgramStore, extend_key


def make_store(trigrams):
    """A store of ``{(first, second): [thirds]}``, whose probabilities fall by e^-1."""
    table = {EMPTY_KEY: []}
    for (first, second), thirds in trigrams.items():
        table[extend_key(extend_key(EMPTY_KEY, second), first)] = thirds
    keys = sorted(table)
    lists = [table[key] for key in keys]
    return NgramStore(
        keys=np.array(keys, np.uint32),
        starts=np.cumsum([0, *map(len, lists)]).astype(np.uint32),
        backoffs=np.zeros(len(keys), np.uint8),
        ids=np.array([token for found in lists for token in found], np.uint16),
        levels=np.array([8 + 16 * rank for found in lists for rank in range(len(found))], np.uint8),
    )


STORE = make_store({(1, 2): [3, 4], (2, 3): [5], (3, 5): [6], (5, 6): [7], (6, 7): [8]})


def drafter(store=STORE, **settings):
    return AdaptiveTrigrams(TrigramWeights(store), **settings)


def propose(drafter, tokens, *, nodes=7, depth=9):
    state = DraftState(tokens=tokens, position=len(tokens) - 1, sampling=SamplingConfig())
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=depth))


def test_weights_are_probabilities_of_the_store_and_what_the_text_adds():
    weights = TrigramWeights(STORE)
    assert weights[2, 1] == pytest.approx({3: np.exp(-0.5), 4: np.exp(-1.5)})
    assert weights[9, 9] == {}
    weights.add((2, 1), 4)
    weights.add((9, 9), 5)
    assert weights[2, 1] == pytest.approx({3: np.exp(-0.5), 4: np.exp(-1.5) + 0.04})
    assert weights[9, 9] == {5: 0.04}
    for _ in range(100):
        weights.add((9, 9), 5)
    assert weights[9, 9] == {5: 3.0}


def test_a_new_successor_replaces_the_least_of_twelve():
    weights = TrigramWeights(make_store({(1, 2): list(range(20, 35))}))
    assert list(weights[2, 1]) == list(range(20, 32))
    weights.add((2, 1), 7)
    assert list(weights[2, 1]) == [*range(20, 31), 7]


def test_changed_pairs_are_bounded():
    weights = TrigramWeights(STORE, pairs=2)
    for token in (1, 2, 3):
        weights.add((token, 0), 5)
    assert (weights[1, 0], weights[2, 0], weights[3, 0]) == ({}, {5: 0.04}, {5: 0.04})


@pytest.mark.parametrize("text", [[], [1], [7, 9], [2, 1]])
def test_an_unknown_pair_is_declined(text):
    assert len(propose(drafter(), text)) == 0


def test_the_most_visited_paths_are_drafted_and_go_on_by_one_token():
    tree = propose(drafter(), [1, 2])
    # the search has 4 tokens of a path, a fifth one follows
    assert tree.tokens[:5] == (3, 5, 6, 7, 8)
    assert tree.parents[:5] == (-1, 0, 1, 2, 3)
    assert tree.tokens[5:] == (4,)


def test_a_reward_is_1_and_the_weights_of_the_path():
    """By hand: every weight of the only path is e^-0.5, whoever walks it, search or roll-out."""
    search = drafter(make_store({(1, 2): [3], (2, 3): [5], (3, 5): [6], (5, 6): [7], (6, 7): [8]}))
    root, random = Node(pair=(2, 1), weight=0.0), Random(0)
    for tries in (1, 2, 3):
        search._try(root, random)
        assert root.reward == pytest.approx(tries * (1 + 4 * np.exp(-0.5)))
    child = root.children[3]
    assert (root.visits, child.visits, child.children[5].visits) == (3, 2, 1)
    assert child.pair == (3, 2)
    assert child.children[5].children is None
    # a path that ends early has fewer weights
    search = drafter(make_store({(1, 2): [3]}))
    root = Node(pair=(2, 1), weight=0.0)
    search._try(root, random)
    assert root.reward == pytest.approx(1 + np.exp(-0.5))


def test_the_score_of_a_child_is_the_published_one():
    def child(visits, reward, weight):
        return Node(pair=(0, 0), weight=weight, visits=visits, reward=reward)

    def score(child, parent_visits):
        bonus = 32 + np.log((parent_visits + 8 + 1) / 8)
        root = np.sqrt(parent_visits)
        return child.reward / child.visits + bonus * child.weight * root / (1 + child.visits)

    rng = np.random.default_rng(0)
    for _ in range(100):
        children = [
            child(int(rng.integers(1, 9)), rng.uniform(1, 9), rng.uniform(0, 0.1)) for _ in range(4)
        ]
        parent = Node(pair=(0, 0), weight=0.0, visits=20, children=dict(enumerate(children)))
        assert choose(parent) is max(children, key=lambda one: score(one, 20))
    parent.children[9] = child(0, 0.0, 0.0)
    assert choose(parent) is parent.children[9], "one that was not visited comes first"


def test_the_text_is_learned():
    text = [8, 9, 7, 8, 9]
    found = drafter()
    assert propose(found, text, nodes=2).tokens == (7, 8)
    first = propose(found, text, nodes=7)
    again = drafter()
    propose(again, text, nodes=2)
    assert propose(again, text, nodes=7).tokens == first.tokens, "the search is deterministic"


@pytest.mark.parametrize(("nodes", "depth"), [(1, 1), (2, 1), (64, 64)])
def test_budgets_are_kept(nodes, depth):
    tree = propose(drafter(), [1, 2], nodes=nodes, depth=depth)
    assert 0 < len(tree) <= nodes
    assert max(tree.depths) <= depth


def test_a_search_of_nothing_is_refused():
    with pytest.raises(TercelError, match="1 or more iterations and tokens, not 0 and 4"):
        drafter(iterations=0)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0, "seed": 5}], ids=str)
def test_the_text_is_that_of_plain_decoding(make_image, write, sampling):
    image = make_image(1)
    settings = {"prompt": "abcabcabc", "max_tokens": 30, **sampling}
    expected, _ = write(image, **settings)
    found, generator = write(image, drafter(iterations=20), **settings)
    assert found == expected
    assert generator.statistics.speculation.failures == 0
    assert generator.statistics.speculation.drafted > 0


def test_the_store_beside_the_image_is_opened(make_image):
    image = make_image(1)
    path = drafter_path(image.path, "ngram")
    path.unlink(missing_ok=True)
    with pytest.raises(TercelError, match="train it with `tercel train-drafter ngram"):
        AdaptiveTrigrams.open(image, None)
    save_drafter(path, kind="ngram", image=image, tensors=STORE.tensors, settings={"order": 2})
    try:
        assert propose(AdaptiveTrigrams.open(image, None), [1, 2], nodes=1).tokens == (3,)
    finally:
        path.unlink()
