import pytest

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import ROOT, DraftBudget, DraftState
from tercel.speculation.drafters.suffix import SuffixDrafter


def propose(drafter, tokens, *, nodes=4, depth=9, **sampling):
    sampling = SamplingConfig(**sampling)
    state = DraftState(tokens=tokens, position=len(tokens) - 1, sampling=sampling)
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=depth))


@pytest.mark.parametrize("text", [[], [1], [1, 2, 3]])
def test_a_text_without_a_repeat_is_declined(text):
    assert len(propose(SuffixDrafter(), text)) == 0


def test_continuations_are_ranked_by_their_frequency():
    # 1 2 went on with 3 twice and with 4 once
    text = [1, 2, 3, 9, 1, 2, 4, 8, 1, 2, 3, 7, 1, 2]
    tree = propose(SuffixDrafter(), text, nodes=2, depth=1)
    assert (tree.tokens, tree.parents) == ((3, 4), (ROOT, ROOT))
    assert tree.estimates[0] == pytest.approx(2 * tree.estimates[1])
    # 3 went on with 9 and with 7, once each
    tree = propose(SuffixDrafter(), text, nodes=9, depth=2)
    assert tree.tokens[:2] == (3, 9)
    assert set(tree.tokens) == {3, 9, 7, 4, 8}


def test_the_longest_match_wins_and_a_loop_goes_on():
    assert propose(SuffixDrafter(), [6, 1, 2, 5, 1, 2, 7, 0, 6, 1, 2]).tokens[0] == 5
    assert propose(SuffixDrafter(), [4, 5] * 3, nodes=7).tokens == (4, 5, 4, 5, 4, 5, 4)
    assert propose(SuffixDrafter(), [3] * 500, nodes=5).tokens == (3,) * 5


def test_earlier_texts_are_kept_across_resets_within_bounds():
    drafter = SuffixDrafter(tokens=8)
    propose(drafter, [1, 2, 3, 4])
    drafter.reset()
    assert propose(drafter, [9, 2]).tokens[:2] == (3, 4)
    drafter.reset()
    propose(drafter, [10, 11, 12, 13])  # the first generation is old now
    drafter.reset()
    assert propose(drafter, [8, 2, 3]).tokens[:1] == (4,)
    drafter.reset()
    propose(drafter, [20, 21, 22, 23, 24, 25, 26, 27])
    drafter.reset()
    assert propose(drafter, [8, 2, 3]).tokens == (), "two generations later it is forgotten"


def test_a_match_outlives_a_change_of_generation():
    drafter = SuffixDrafter(tokens=6)
    assert propose(drafter, [1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).tokens[:3] == (4, 5, 6)


def test_texts_are_read_once():
    drafter = SuffixDrafter()
    text = []
    for token in [1, 2, 3, 1, 2]:
        text.append(token)
        propose(drafter, text)
    assert propose(drafter, text).tokens == propose(SuffixDrafter(), text).tokens


def test_equal_continuations_are_drafted_by_the_noise_of_the_draw():
    text = [1, 5, 0, 1, 6, 2, 1]
    for seed in range(20):
        tree = propose(SuffixDrafter(), text, nodes=1, temperature=1.0, seed=seed)
        noise = gumbel(seed, len(text) - 1, [5, 6])
        assert tree.tokens == ((5, 6)[int(noise[1] > noise[0])],)


def test_less_than_a_token_is_refused():
    with pytest.raises(TercelError, match="1 token or more, not 0"):
        SuffixDrafter(tokens=0)
