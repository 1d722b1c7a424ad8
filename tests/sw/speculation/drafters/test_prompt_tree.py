"""Trees and scores computed by hand, and properties for random acceptances."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.speculation import ROOT
from tercel.speculation.drafters.prompt_tree import (
    PromptTree,
    best_plan,
    build_tree,
    plan_trees,
    score,
)

HAND = np.array([[0.5, 0.25], [0.4, 0.2]])
"""Paths by weight: 0 (0.5), 1 (0.25), 00 (0.2), then 01 and 10 (0.1 each)."""


def test_the_likeliest_paths_become_candidates():
    # 0, 1, 00 in the order of their choice; depth first 0, 00, 1. The last one accepted is the root
    # with 1 - 0.5 - 0.25, node 0 with 0.5 - 0.2. Two prompt tokens behind each of 4 nodes make 8;
    # 5 nodes leave room for 2. A second one is worth (v2 - v1) = 0.2 times its node's chance, a
    # first one v1 = 0.75 times it: all second ones go, then the first ones of 00 (0.2 * 0.75 =
    # 0.15) and of root and 1 (0.25 each: the later one). Root and node 0 keep theirs.
    tree = build_tree(HAND, depths=2, candidates=3, nodes=5, values=(0, 0.75, 0.95))
    assert tree.parents == (ROOT, 0, ROOT)
    assert tree.ranks == (0, 0, 1)
    assert tree.weights == pytest.approx((0.5, 0.2, 0.25))
    assert tree.last == pytest.approx((0.25, 0.3, 0.2, 0.25))
    assert tree.accepted == pytest.approx(0.95)
    assert tree.prompts == (1, 1, 0, 0)
    assert tree.nodes == 5


def test_with_room_every_node_has_all_prompt_tokens():
    tree = build_tree(HAND, depths=1, candidates=2, nodes=8, values=(0, 0.75, 0.95))
    assert tree.ranks == (0, 1)
    assert tree.prompts == (2, 2, 2)


def test_without_guesses_there_are_prompt_tokens_alone():
    tree = build_tree(HAND, depths=0, candidates=3, nodes=8, values=(0, 0.75, 0.95))
    assert (tree.parents, tree.prompts) == ((), (2,))


def test_candidates_without_any_chance_are_left_out():
    tree = build_tree(HAND * [1, 0], depths=1, candidates=2, nodes=8, values=(0, 0.5, 0.7))
    assert tree.ranks == (0,)


def hand_tree(parents, weights, prompts):
    return PromptTree(parents=parents, ranks=(0,) * len(parents), weights=weights, prompts=prompts)


def test_the_score_is_that_of_the_settled_chain():
    # From 0 to 2; from 2 with 0.25 to 1, else to 0; from 1 always to 1: in the end always 1.
    none = hand_tree((), (), (2,))
    one = hand_tree((ROOT,), (0.5,), (1, 1))
    two = hand_tree((ROOT,), (0.25,), (0, 1))
    assert score((none, one, two)) == pytest.approx(0.5)
    # From 0 to 1, from 1 with 0.4 to 1, else to 0: shares s1 = s0 + 0.4 s1, so s0 = 3/8, s1 = 5/8.
    none, one = hand_tree((), (), (1,)), hand_tree((ROOT,), (0.4,), (0, 1))
    assert score((none, one)) == pytest.approx(5 / 8 * 0.4)
    # A chain of period two: half of the rounds have guesses.
    one = hand_tree((ROOT,), (0.4,), (0, 0))
    assert score((none, one)) == pytest.approx(0.2)


PLANS = [plan_trees(HAND, nodes) for nodes in range(8)]


def test_the_size_follows_the_cost_of_passes():
    def sizes(costs):
        return [tree.nodes for tree in best_plan(PLANS[: len(costs)], costs)]

    assert sizes([1]) == [0, 0, 0]
    assert max(sizes([1] * 8)) == 7
    # Candidate and prompt token in every round score 0.5 * (chance of a guess); a third node that
    # costs half a pass more adds less than that.
    assert max(sizes([1, 1, 1, 1.5, 2, 2, 2, 2])) == 2
    assert sizes([1, 3, 3, 3]) == [0, 0, 0]


@pytest.mark.parametrize("costs", [[], [1, 0], [1, -1]])
def test_costs_are_positive(costs):
    with pytest.raises(TercelError, match="costs of passes must be positive"):
        best_plan(PLANS[: len(costs)], costs)


@st.composite
def acceptances(draw):
    depths, ranks = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    shares = st.floats(0, 1)
    rows = [[draw(shares) for _ in range(ranks)] for _ in range(depths)]
    return np.array([np.sort(row)[::-1] / max(1, sum(row)) for row in rows])


@settings(max_examples=25, deadline=None)
@given(acceptances(), st.integers(0, 6))
def test_trees_fit_and_are_consistent(acceptance, nodes):
    trees = plan_trees(acceptance, nodes)
    assert len(trees) == len(acceptance) + 1
    for state, tree in enumerate(trees):
        assert tree.nodes <= nodes
        assert all(0 <= count <= len(acceptance) for count in tree.prompts)
        assert sum(tree.last) == pytest.approx(1)
        assert min(tree.last) >= -1e-12
        depths = []
        for parent, rank, weight in zip(tree.parents, tree.ranks, tree.weights, strict=True):
            depths.append(0 if parent == ROOT else depths[parent] + 1)
            before = 1 if parent == ROOT else tree.weights[parent]
            assert weight == pytest.approx(before * acceptance[depths[-1], rank])
        assert max(depths, default=-1) < state or not depths


@settings(max_examples=25, deadline=None)
@given(acceptances(), st.integers(1, 6))
def test_the_candidates_are_the_best_paths_of_all(acceptance, candidates):
    tree = build_tree(
        acceptance,
        depths=len(acceptance),
        candidates=candidates,
        nodes=candidates,
        values=range(len(acceptance) + 1),
    )
    weights = [
        np.prod([acceptance[depth, rank] for depth, rank in enumerate(path)])
        for length in range(1, len(acceptance) + 1)
        for path in itertools.product(range(acceptance.shape[1]), repeat=length)
    ]
    best = sorted(weights, reverse=True)[:candidates]
    assert tree.accepted == pytest.approx(sum(best))


def test_one_state_more_in_the_search_never_scores_less():
    scores = [score(plan_trees(HAND, nodes)) for nodes in range(8)]
    assert scores == sorted(scores)
