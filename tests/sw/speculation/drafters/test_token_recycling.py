from dataclasses import replace

import numpy as np
import pytest
from rounds import make_round

from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import ROOT, DraftBudget, DraftState, DraftTree, PassNeeds
from tercel.speculation.drafters.token_recycling import GUESSES, TokenRecycling


def propose(drafter, tokens, *, nodes=3, depth=9, **sampling):
    sampling = SamplingConfig(**sampling)
    state = DraftState(tokens=tokens, position=len(tokens) - 1, sampling=sampling)
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=depth))


def observe(drafter, top_ids, *, root=0, **round):
    found = make_round(root=root, **round)
    result = replace(found.verdict.result, top_ids=np.array(top_ids, np.int32))
    drafter.observe(replace(found, verdict=replace(found.verdict, result=result)))


def row(*best):
    return [*best, *range(100, 108)][:8]


def test_the_top_k_of_all_nodes_of_a_pass_is_drafted():
    assert TokenRecycling.needs == PassNeeds(top_k=8)
    drafter = TokenRecycling()
    assert len(propose(drafter, [4])) == 0
    # the pass read a waiting token, the root 4 and a tree with a rejected node
    tree = DraftTree(tokens=(5, 6), parents=(ROOT, ROOT))
    rows = [row(0), row(6, 5), row(7), row(8, 9)]
    observe(drafter, rows, tree=tree, path=(1,), tokens=(6, 9), root=1)
    assert propose(drafter, [3, 4], nodes=9, depth=2).tokens[:2] == (6, 8)
    assert propose(drafter, [5], nodes=1).tokens == (7,)
    assert propose(drafter, [6], nodes=2, depth=1).tokens == (8, 9)
    assert len(propose(drafter, [9])) == 0


def test_rows_of_accepted_nodes_replace_those_of_rejected_ones_and_of_the_root():
    drafter = TokenRecycling()
    tree = DraftTree(tokens=(5, 5), parents=(ROOT, 0))
    rows = [row(1), row(2), row(3)]
    observe(drafter, rows, tree=tree, path=(0,), tokens=(5, 9), root_token=5)
    assert propose(drafter, [5], nodes=1).tokens == (2,)


def test_plain_rounds_teach_too_and_a_reset_forgets_nothing():
    drafter = TokenRecycling()
    propose(drafter, [1])
    observe(drafter, [row(2)], tokens=(3,), root_token=1)
    observe(drafter, [row(4)], tokens=(9,), root_token=8)  # rounds between were not shown
    assert propose(drafter, [8], nodes=1).tokens == (4,)
    drafter.reset()
    observe(drafter, [row(7)], tokens=(8,), root_token=3)
    assert propose(drafter, [1], nodes=1).tokens == (2,)
    assert propose(drafter, [3], nodes=1).tokens == (7,)


def test_rates_of_ranks_are_measured_on_the_text():
    drafter = TokenRecycling()
    for _ in range(300):
        propose(drafter, [1])
        observe(drafter, [row(2, 3)], tokens=(3,), root_token=1)  # the second is always right
    tree = propose(drafter, [1], nodes=2, depth=1)
    assert tree.tokens == (3, 2)
    assert tree.estimates[0] > 0.6 > GUESSES[1]


def test_candidates_are_ranked_by_the_noise_of_the_draw():
    drafter = TokenRecycling()
    observe(drafter, [row(2, 3)], tokens=(9,), root_token=1)
    for seed in range(10):
        propose(drafter, [1], temperature=0.7, seed=seed)
        tree = propose(drafter, [1], nodes=1, temperature=0.7, seed=seed)
        rates = [drafter._rates[rank] for rank in range(8)]
        scores = np.log(rates) + gumbel(seed, 0, row(2, 3))
        assert tree.tokens == (row(2, 3)[int(np.argmax(scores))],)


@pytest.mark.parametrize("text", [[], [5]])
def test_nothing_is_known_at_first(text):
    drafter = TokenRecycling()
    assert len(propose(drafter, text)) == 0
    drafter.observe(make_round())
    drafter.observe(make_round(tokens=(1, 2)))
