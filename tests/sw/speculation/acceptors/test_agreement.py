import numpy as np
import pytest
from exact_law import drawn_chain, emitted_law, fixed_tree, plain_law, target
from hypothesis import given
from hypothesis import strategies as st

from tercel.device import Limits, PassResult
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import ROOT, Agreement, DraftTree, Outcome, Verdict

VOCABULARY = 5
LIMITS = Limits(nodes=32, context=64, top_k=4)


def verdict(tree, argmax, *, root=0):
    """A greedy verdict; the argmax of the root comes first."""
    result = PassResult(argmax=np.array([99] * root + list(argmax), np.int32))
    sampler = Sampler(SamplingConfig(), limits=LIMITS, vocab_size=VOCABULARY)
    return Verdict(tree=tree, result=result, root=root, position=10, sampler=sampler)


TREE = DraftTree(tokens=(1, 2, 3, 2, 4), parents=(ROOT, 0, 1, ROOT, 3))


def test_the_path_follows_the_draws():
    assert Agreement().accept(verdict(TREE, [1, 2, 3, 0, 9, 9])) == Outcome(
        path=(0, 1, 2), tokens=(1, 2, 3, 0)
    )
    assert Agreement().accept(verdict(TREE, [2, 9, 9, 9, 4, 3])) == Outcome(
        path=(3, 4), tokens=(2, 4, 3)
    )


def test_the_first_disagreement_is_recovered():
    assert Agreement().accept(verdict(TREE, [4, 9, 9, 9, 9, 9])) == Outcome(path=(), tokens=(4,))
    assert Agreement().accept(verdict(TREE, [1, 3, 9, 9, 9, 9])) == Outcome(
        path=(0,), tokens=(1, 3)
    )


def test_without_a_tree_the_root_is_drawn():
    assert Agreement().accept(verdict(DraftTree(), [3])) == Outcome(path=(), tokens=(3,))


def test_nodes_follow_the_root_of_the_pass():
    found = verdict(TREE, [2, 9, 9, 9, 4, 3], root=2)
    assert Agreement().accept(found) == Outcome(path=(3, 4), tokens=(2, 4, 3))


@given(st.data())
def test_agreement_emits_the_draws_along_its_path(data):
    """For any tree and noise: every emitted token is the draw after the node before it."""
    nodes = data.draw(st.integers(0, 8))
    parents = [data.draw(st.integers(ROOT, node - 1)) for node in range(nodes)]
    tokens = data.draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes))
    seed = data.draw(st.integers(0, 1 << 32))
    logits = np.random.default_rng(seed).normal(0, 2, (nodes + 1, VOCABULARY)).astype(np.float32)
    config = SamplingConfig(temperature=1.0, seed=seed)
    given_verdict = Verdict(
        tree=DraftTree(tokens=tuple(tokens), parents=tuple(parents)),
        result=PassResult(logits=dict(enumerate(logits))),
        root=0,
        position=3,
        sampler=Sampler(config, limits=LIMITS, vocab_size=VOCABULARY),
    )
    outcome = Agreement().accept(given_verdict)
    assert len(outcome.tokens) == len(outcome.path) + 1
    for node, before, token in zip(
        outcome.path, (ROOT, *outcome.path), outcome.tokens, strict=False
    ):
        assert parents[node] == before
        assert tokens[node] == token
    for node, token in zip((ROOT, *outcome.path), outcome.tokens, strict=True):
        assert token == given_verdict.draw(node)
    last = outcome.path[-1] if outcome.path else ROOT
    assert given_verdict.tree.child(last, outcome.tokens[-1]) is None


@pytest.mark.parametrize("drafting", [drawn_chain(2), fixed_tree])
def test_the_law_is_that_of_plain_decoding(drafting):
    law = emitted_law(Agreement(), target, drafting, tokens=2)
    assert law == plain_law(target, tokens=2)
