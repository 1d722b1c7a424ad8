import pytest
from exact_law import drawn_chain, emitted_law, fixed_tree, plain_law, target, total_variation
from verdicts import given

from tercel.speculation import ROOT, DraftTree, Outcome
from tercel.speculation.acceptors import (
    Agreement,
    Blockwise,
    BlockwiseConfig,
    Boundary,
    Rejection,
    SafetyComposite,
    TruncateAt,
)


class AfterTwo(Boundary):
    """A border follows every token 2; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def kept(self, text, tokens):
        self.asked.append((tuple(text), tokens))
        return max((index for index, token in enumerate(tokens, 1) if token == 2), default=1)


def test_the_path_is_cut_after_the_last_border():
    tree = DraftTree.chain((1, 2, 1, 2))
    boundary = AfterTwo()
    rule = TruncateAt(boundary, Agreement())
    for drawn, kept in (((1, 2, 1, 0), 2), ((1, 2, 2), 3), ((1, 1), 1), ((1, 2, 1, 2, 0), 4)):
        draws = dict(zip((ROOT, 0, 1, 2, 3), drawn, strict=False))
        outcome = rule.accept(given(tree, draws=draws, text=[7, 8]))
        assert outcome == Outcome(path=tuple(range(kept - 1)), tokens=drawn[:kept])
        assert boundary.asked[-1] == ((7, 8), drawn)


def test_one_token_is_never_cut():
    boundary = AfterTwo()
    outcome = TruncateAt(boundary, Agreement()).accept(given(DraftTree(), draws={ROOT: 1}))
    assert outcome.tokens == (1,)
    assert not boundary.asked


@pytest.mark.parametrize("drafting", [drawn_chain(2), fixed_tree])
def test_over_agreement_it_is_lossless(drafting):
    rule = TruncateAt(AfterTwo(), Agreement())
    assert rule.lossless
    assert emitted_law(rule, target, drafting, tokens=2) == plain_law(target, tokens=2)


def test_over_rejection_it_is_lossy():
    rule = TruncateAt(AfterTwo(), Rejection())
    assert not rule.lossless
    law = emitted_law(rule, target, drawn_chain(2), tokens=2)
    assert total_variation(law, plain_law(target, tokens=2)) > 0.01


def test_the_marks_are_those_of_the_inner_rule():
    assert TruncateAt(AfterTwo(), Blockwise(BlockwiseConfig(top_n=1))).keeps_text
    relaxed = TruncateAt(AfterTwo(), Blockwise())
    assert not relaxed.lossless
    assert relaxed.needs.top_k == 2
    assert TruncateAt(AfterTwo(), Rejection()).reads_proposals
    safe = SafetyComposite()
    assert TruncateAt(AfterTwo(), safe).first_state == safe.first_state
