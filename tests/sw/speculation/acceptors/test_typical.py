import pytest
from exact_law import drawn_chain, emitted_law, plain_law, target, total_variation
from verdicts import given, law

from tercel.errors import TercelError
from tercel.speculation import ROOT, DraftTree, Outcome
from tercel.speculation.acceptors import Typical, TypicalConfig

FLAT = law(*[0.1] * 10)  # exp(-entropy) is 0.1, the threshold 0.03
SHARP = law(0.91, 0.09)  # exp(-entropy) is 0.74, the threshold epsilon
ARGMAX = Typical(TypicalConfig(last="argmax"))


def test_a_token_is_accepted_above_the_threshold():
    """By hand: 0.09 is not above epsilon; in a flat distribution 0.1 is above 0.03."""
    at_root = DraftTree(tokens=(1,), parents=(ROOT,))
    for p, path in ((SHARP, ()), (FLAT, (0,)), (law(0.9, 0.1), (0,))):
        assert ARGMAX.accept(given(at_root, laws={ROOT: p, 0: law(1.0)})).path == path
    strict = Typical(TypicalConfig(epsilon=0.95, delta=0.99, last="argmax"))
    # entropy ln 2: the threshold is 0.99 / 2, below both probabilities
    assert strict.accept(given(at_root, laws={ROOT: law(0.5, 0.5), 0: law(1.0)})).path == (0,)


def test_the_longest_path_wins_then_the_likeliest_then_the_first():
    tree = DraftTree(tokens=(0, 1, 2, 3), parents=(ROOT, ROOT, 0, 1))
    root, second = law(0.6, 0.4), law(0.0, 0.0, 0.5, 0.5)
    nothing = law(0.0, 0.0, 0.0, 0.0, 1.0)
    last = {2: law(0.2, 0.8), 3: law(0.8, 0.2)}
    longest = given(tree, laws={ROOT: root, 0: nothing, 1: second} | last)
    assert ARGMAX.accept(longest) == Outcome(path=(1, 3), tokens=(1, 3, 0))
    likeliest = given(tree, laws={ROOT: root, 0: second, 1: second} | last)
    assert ARGMAX.accept(likeliest) == Outcome(path=(0, 2), tokens=(0, 2, 1))
    swapped = given(tree, laws={ROOT: law(0.4, 0.6), 0: second, 1: second} | last)
    assert ARGMAX.accept(swapped) == Outcome(path=(1, 3), tokens=(1, 3, 0))
    equal = given(tree, laws={ROOT: law(0.5, 0.5), 0: second, 1: second} | last)
    assert ARGMAX.accept(equal) == Outcome(path=(0, 2), tokens=(0, 2, 1))


def test_a_path_ends_at_its_first_untypical_token():
    tree = DraftTree.chain((1, 0, 0))
    verdict = given(tree, laws={ROOT: SHARP, 0: SHARP, 1: SHARP, 2: SHARP})
    assert ARGMAX.accept(verdict) == Outcome(path=(), tokens=(0,))


def test_the_last_token_is_typical():
    verdict = given(DraftTree(), laws={ROOT: law(0.5, 0.42, 0.08)}, quantile=0.999)
    assert Typical().accept(verdict) == Outcome(path=(), tokens=(1,))
    early = given(DraftTree(), laws={ROOT: law(0.5, 0.42, 0.08)}, quantile=0.54)
    assert Typical().accept(early) == Outcome(path=(), tokens=(0,))  # 0.5 / 0.92 is 0.543


def test_the_law_is_not_that_of_plain_decoding():
    assert not Typical.lossless
    law = emitted_law(Typical(), target, drawn_chain(2), tokens=2)
    assert total_variation(law, plain_law(target, tokens=2)) > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be between 0 and 1, not 0.0"),
        ({"delta": 1.0}, "delta must be between 0 and 1, not 1.0"),
        ({"last": "best"}, "last must be one of sample, argmax, not 'best'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(TercelError, match=message):
        TypicalConfig(**options)
