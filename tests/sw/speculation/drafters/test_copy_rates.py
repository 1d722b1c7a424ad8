import pytest

from tercel.speculation import ROOT, DraftTree
from tercel.speculation.drafters.copy_rates import GUESSES, CopyRates


def test_rates_belong_to_the_length_of_the_match():
    rates = CopyRates()
    rates.start(3)
    assert [rates.rate(depth) for depth in (0, 1)] == list(GUESSES[3:5])
    assert rates.rate(99) == GUESSES[-1]
    rates.drafted(DraftTree.chain((5, 6, 7)))
    rates.observe((5, 9))
    assert rates.rate(0) > GUESSES[3]
    assert rates.rate(1) < GUESSES[4]
    assert rates.rate(2) == pytest.approx(GUESSES[5])
    before = rates.rate(0)
    rates.observe((5, 9))  # without a draft
    assert rates.rate(0) == before


def test_any_child_that_is_right_counts_and_what_is_unknown_does_not():
    rates = CopyRates()
    rates.start(1)
    rates.drafted(DraftTree(tokens=(5, 6, 7), parents=(ROOT, ROOT, 1)))
    rates.observe((6,))
    assert rates.rate(0) > GUESSES[1]
    assert rates.rate(1) == pytest.approx(GUESSES[2])
