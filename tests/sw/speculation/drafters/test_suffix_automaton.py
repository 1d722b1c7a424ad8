from hypothesis import given
from hypothesis import strategies as st

from tercel.speculation.drafters.suffix_automaton import SuffixAutomaton


def read(texts, counted):
    automaton = SuffixAutomaton(counted)
    for text in texts:
        automaton.start()
        for token in text:
            automaton.read(token)
    return automaton


def state_of(automaton, substring):
    state = 0
    for token in substring:
        state = automaton.successors[state].get(token)
        if state is None:
            return None
    return state


def occurrences(texts, substring):
    size = len(substring)
    return sum(
        text[at : at + size] == substring for text in texts for at in range(len(text) - size + 1)
    )


texts = st.lists(st.lists(st.integers(0, 2), max_size=25), min_size=1, max_size=4)


@given(texts=texts, counted=st.integers(1, 6))
def test_it_equals_a_naive_search(texts, counted):
    automaton = read(texts, counted)
    assert len(automaton) == sum(map(len, texts))
    substrings = {
        tuple(text[first:end])
        for text in texts
        for first in range(len(text))
        for end in range(first + 1, len(text) + 1)
    }
    for substring in substrings:
        state = state_of(automaton, substring)
        assert automaton.length[automaton.link[state]] < len(substring) <= automaton.length[state]
        if len(substring) <= counted:
            assert automaton.count[state] == occurrences(texts, list(substring))
        following = {token for token in range(3) if (*substring, token) in substrings}
        assert automaton.successors[state].keys() == following
    assert len(automaton.link) <= max(2, 2 * len(automaton) + 1)


@given(texts=texts, counted=st.integers(2, 6))
def test_the_longest_repeat_is_the_longest_suffix_that_went_on(texts, counted):
    automaton = read(texts, counted)
    text = texts[-1]
    state = automaton.longest_repeat
    went_on = [
        size
        for size in range(1, min(len(text), counted - 1) + 1)
        if any(occurrences(texts, [*text[-size:], token]) for token in range(3))
    ]
    if not went_on:
        assert state == 0
        return
    assert state_of(automaton, text[len(text) - max(went_on) :]) == state
    for token, following in automaton.successors[state].items():
        substring = [*text[len(text) - max(went_on) :], token]
        assert automaton.count[following] == occurrences(texts, substring)


@given(texts=texts, other=st.lists(st.integers(0, 3), max_size=20))
def test_following_another_text_gives_its_longest_known_suffix(texts, other):
    automaton = read(texts, 3)
    state = 0
    for end, token in enumerate(other, 1):
        state = automaton.follow(state, token)
        suffixes = (other[first:end] for first in range(end + 1))
        longest = next(part for part in suffixes if not part or occurrences(texts, part))
        assert state == state_of(automaton, longest)


def test_a_text_of_one_token_takes_little_time_and_is_counted():
    automaton = read([[7] * 20_000], 8)
    assert len(automaton.link) == 20_001
    assert [automaton.count[size] for size in (1, 2, 8)] == [20_000, 19_999, 19_993]
    assert automaton.longest_repeat == 7
    assert automaton.count[9] == 0
