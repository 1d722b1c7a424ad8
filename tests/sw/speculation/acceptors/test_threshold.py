import pytest
from exact_law import drawn_chain, emitted_law, plain_law, target, total_variation
from verdicts import given, law

from tercel.errors import TercelError
from tercel.speculation import ROOT, DraftTree, Outcome
from tercel.speculation.acceptors import Threshold, ThresholdConfig

TREE = DraftTree(tokens=(2, 1, 0), parents=(ROOT, ROOT, 1))
VERDICT = given(
    TREE,
    laws={ROOT: law(0.5, 0.3, 0.2), 1: law(0.25, 0.75), 2: law(1.0)},
    draws={ROOT: 9, 0: 8, 1: 7, 2: 6},
)


def emitted(**options):
    return Threshold(ThresholdConfig(**options)).accept(VERDICT)


def test_the_likeliest_child_must_reach_the_threshold():
    assert emitted(probability=0.25) == Outcome(path=(1, 2), tokens=(1, 0, 6))
    assert emitted(probability=0.3) == Outcome(path=(1,), tokens=(1, 7))
    assert emitted(probability=0.31) == Outcome(path=(), tokens=(9,))


def test_the_likeliest_child_must_reach_the_fraction_of_the_maximum():
    assert emitted(probability=0.0, ratio=0.3) == Outcome(path=(1, 2), tokens=(1, 0, 6))
    assert emitted(probability=0.0, ratio=0.6) == Outcome(path=(1,), tokens=(1, 7))
    assert emitted(probability=0.0, ratio=0.61) == Outcome(path=(), tokens=(9,))
    assert emitted(probability=0.31, ratio=0.3) == Outcome(path=(), tokens=(9,))


def test_an_impossible_token_is_never_accepted():
    tree = DraftTree(tokens=(5,), parents=(ROOT,))
    rule = Threshold(ThresholdConfig(probability=0.0))
    assert rule.accept(given(tree, laws={ROOT: law(1.0)}, draws={ROOT: 0})).path == ()


def test_the_law_is_not_that_of_plain_decoding():
    assert not Threshold.lossless
    law = emitted_law(Threshold(), target, drawn_chain(2), tokens=2)
    assert total_variation(law, plain_law(target, tokens=2)) > 0.1


@pytest.mark.parametrize("name", ["probability", "ratio"])
def test_wrong_options_are_refused(name):
    with pytest.raises(TercelError, match=rf"{name} must be in 0\.\.1, not 1\.5"):
        ThresholdConfig(**{name: 1.5})
