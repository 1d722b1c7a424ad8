import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafters.prompt_lookup import PromptLookup


def propose(drafter, tokens, *, nodes=4, depth=9):
    state = DraftState(tokens=tokens, position=len(tokens) - 1, sampling=SamplingConfig())
    return drafter.propose(state, DraftBudget(nodes=nodes, depth=depth))


@pytest.mark.parametrize(
    ("text", "drafted"),
    [
        ([], ()),
        ([1], ()),
        ([1, 2, 3], ()),
        ([1, 2, 3, 1], (2, 3, 1, 2)),  # reaches the end of the text and repeats itself
        ([5, 5], (5, 5, 5, 5)),
        ([1, 2, 7, 8, 9, 3, 2, 6, 6, 6, 1, 2], (7, 8, 9, 3)),  # 1 2 wins over the later 2
        ([1, 2, 7, 1, 2, 8, 1, 2], (8, 1, 2, 8)),  # the last occurrence wins
    ],
)
def test_what_followed_the_longest_end_is_drafted(text, drafted):
    tree = propose(PromptLookup(), text)
    assert tree.tokens == drafted
    assert tree.parents == tuple(range(-1, len(drafted) - 1))


@given(
    text=st.lists(st.integers(0, 3), max_size=40),
    cuts=st.sets(st.integers(0, 40)),
    nodes=st.integers(1, 9),
    depth=st.integers(1, 9),
)
def test_it_equals_a_naive_search_also_round_by_round(text, cuts, nodes, depth):
    drafter = PromptLookup(longest=3)
    for cut in sorted(cuts):
        propose(drafter, text[:cut])
    expected = []
    for size in (3, 2, 1):
        places = [at for at in range(size, len(text)) if text[at - size : at] == text[-size:]]
        if places and len(text) >= size:
            whole = text[places[-1] :]
            expected = (whole * 9)[: min(nodes, depth)]
            break
    tree = propose(drafter, text, nodes=nodes, depth=depth)
    assert list(tree.tokens) == expected
    assert list(tree.estimates) == sorted(tree.estimates, reverse=True)


def test_a_reset_forgets_the_text():
    drafter = PromptLookup()
    assert propose(drafter, [1, 2, 1]).tokens
    drafter.reset()
    assert not propose(drafter, [3, 2]).tokens
    assert not propose(drafter, [3, 2, 1]).tokens


def test_a_longest_end_that_is_the_shorter_one_is_refused():
    with pytest.raises(TercelError, match="must have 1 to 2 tokens, the longest one's, not 3"):
        PromptLookup(longest=2, shortest=3)
