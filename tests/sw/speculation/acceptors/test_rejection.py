from fractions import Fraction

import pytest
from exact_law import (
    drafter,
    drawn_chain,
    drawn_tree,
    emitted_law,
    exact,
    fixed_tree,
    mean_length,
    plain_law,
    target,
    total_variation,
)

from tercel.speculation import ROOT, DraftTree
from tercel.speculation.acceptors import Rejection


def independent(branch, text, round):
    """A one-step drafter: every position is drawn from what the text before the root gives."""
    q = [drafter(text), exact(1, 2, 1)]
    tokens = tuple(branch.draw(q[depth], ("draft", round, depth)) for depth in range(2))
    return DraftTree(tokens=tokens, parents=(ROOT, 0), proposals={ROOT: q[0], 0: q[1]})


def first_round(drafting):
    """Drafts in the first round alone, to have fewer branches."""
    return lambda branch, text, round: DraftTree() if round else drafting(branch, text, round)


DRAFTS = {
    "chain": drawn_chain(2),
    "chain of three": drawn_chain(3),
    "chain of the model itself": drawn_chain(2, target),
    "independent": independent,
    "tree": first_round(drawn_tree((2, 1), replacement=False)),
    "all siblings": drawn_tree((3,), replacement=False),
    "siblings with replacement": drawn_tree((3,), replacement=True),
    "fixed tree": fixed_tree,
    "nothing": lambda branch, text, round: DraftTree(),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_the_law_is_that_of_plain_decoding(name):
    law = emitted_law(Rejection(), target, DRAFTS[name], tokens=2)
    assert law == plain_law(target, tokens=2)


def test_the_chance_of_a_drawn_token_is_the_overlap_of_both_models():
    p, q = exact(3, 2, 1), exact(1, 2, 3)
    drafting = drawn_chain(1, lambda text: q)
    overlap = sum(min(p.probability(token), q.probability(token)) for token in range(3))
    assert mean_length(Rejection(), lambda text: p, drafting) == 1 + overlap == Fraction(5, 3)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_tokens_a_round_of_constant_acceptance(length):
    """The geometric sum of a chain whose every token is kept with the same chance."""
    p, q = exact(3, 1), exact(1, 1)
    a = Fraction(3, 4)
    found = mean_length(Rejection(), lambda text: p, drawn_chain(length, lambda text: q))
    assert found == (1 - a ** (length + 1)) / (1 - a)


def test_the_mark_of_replacement_matters():
    """Draws without replacement, judged as if they were with it, have another law."""
    p, q = exact(3, 2, 1), exact(1, 1, 4)

    def draft(replacement):
        def mark(branch, text, round):
            first = branch.draw(q, ("draft", round, 0))
            second = branch.draw(q.without(first), ("draft", round, 1))
            return DraftTree(
                tokens=(first, second),
                parents=(ROOT, ROOT),
                proposals={ROOT: q},
                replacement=replacement,
            )

        return mark

    right, wrong = (
        emitted_law(Rejection(), lambda text: p, draft(replacement), tokens=1)
        for replacement in (False, True)
    )
    assert (
        total_variation(right, {(0,): Fraction(1, 2), (1,): Fraction(1, 3), (2,): Fraction(1, 6)})
        == 0
    )
    assert total_variation(right, wrong) > Fraction(1, 20)
