"""The guesses that a round leaves for the next one."""

from dataclasses import replace

import numpy as np
import pytest
from rounds import make_round

from tercel.device import PassResult
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import PROBE, ROOT, DraftBudget, DraftState, DraftTree
from tercel.speculation.drafters.probe_guesses import ProbeGuesses
from tercel.speculation.drafters.prompt_tree import PromptTree

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
BUDGET = DraftBudget(nodes=7, depth=7)


class Chain(ProbeGuesses):
    """Plans a chain of the guesses at rank 1."""

    def _plan(self, state, nodes, depths, ranks):
        self.asked = nodes, depths, ranks
        return PromptTree(
            parents=tuple(range(-1, depths - 1)),
            ranks=(1,) * depths,
            weights=(0.0,) * depths,
            prompts=(2,) + (0,) * depths,
        )


def tree_of(drafter):
    """A candidate; two rows behind the root, one row of ours and a foreign one behind it."""
    ours = drafter._rows
    return DraftTree(
        tokens=(7, PROBE, PROBE, PROBE, PROBE),
        parents=(ROOT, ROOT, 1, 0, 3),
        rows={1: ours[0], 2: ours[1], 3: ours[0], 4: np.ones(3, np.float32)},
    )


def observed(path, tokens, *, ranks=4, root=1):
    drafter = Chain(ROWS)
    found = make_round(path, tokens, tree=tree_of(drafter), root=root)
    nodes = root + 6
    logits = np.tile(np.arange(ranks, 0, -1, dtype=np.float32), (nodes, 1))
    result = PassResult(
        top_ids=10 * np.arange(nodes, dtype=np.int32)[:, None] + np.arange(ranks, dtype=np.int32),
        top_logits=logits,
        logsumexp=np.full(nodes, 5.0),
    )
    drafter.observe(replace(found, verdict=replace(found.verdict, result=result)))
    return drafter


def state(temperature=0.0):
    sampling = SamplingConfig(temperature=temperature, seed=2)
    return DraftState(tokens=[1], position=30, sampling=sampling)


def test_the_rows_behind_the_last_accepted_node_count():
    # Nodes of the pass: waiting, root, then those of the tree from 2 on.
    rejected = observed((), (9,))
    tree = rejected.propose(state(), BUDGET)
    assert rejected.asked == (7, 2, 4)
    assert tree.tokens == (31, 41, PROBE, PROBE)  # rank 1 of the nodes 3 and 4
    assert tree.parents == (ROOT, 0, ROOT, 2)
    assert list(tree.rows) == [2, 3]
    accepted = observed((0,), (7, 9))
    assert accepted.propose(state(), BUDGET).tokens[:1] == (51,)  # node 5; the next row is foreign
    assert accepted.asked == (7, 1, 4)


def test_a_plain_round_and_a_new_text_leave_no_guesses():
    drafter = observed((), (9,))
    drafter.observe(make_round())
    drafter.propose(state(), BUDGET)
    assert drafter.asked == (7, 0, 10)
    drafter = observed((), (9,))
    drafter.reset()
    drafter.propose(state(), BUDGET)
    assert drafter.asked == (7, 0, 10)


def test_a_device_with_a_small_top_k_gives_fewer_ranks():
    drafter = observed((), (9,), ranks=2)
    assert drafter.propose(state(), BUDGET).tokens[0] == 31
    assert drafter.asked == (7, 2, 2)


@pytest.mark.parametrize("depth", [0, 1])
def test_guesses_are_ranked_with_the_noise_of_their_draws(depth):
    drafter = observed((), (9,))
    tree = drafter.propose(state(0.7), BUDGET)
    ids = 10 * (3 + depth) + np.arange(4)
    scores = (np.arange(4, 0, -1) - 5.0) / 0.7 + gumbel(2, 30 + depth, ids)
    assert tree.tokens[depth] == ids[np.argsort(-scores)[1]]
