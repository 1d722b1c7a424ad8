"""A suffix automaton of growing texts, with the occurrences of short substrings."""

__all__ = ["SuffixAutomaton"]

START = 0
"""The state of the empty string."""


class SuffixAutomaton:
    """All substrings of the texts that were read, in amortised constant time a token.

    A state stands for substrings with the same occurrences; its longest one has :attr:`length`
    tokens, the shortest one more than the longest of its :attr:`link`, the state of the next
    shorter suffix (Blumer et al. 1985; several texts, as in arXiv 2411.10666).

    Parameters
    ----------
    counted
        Most tokens of a substring whose occurrences are counted; this bounds the time of a token
        in texts that repeat themselves.
    """

    def __init__(self, counted: int):
        self._counted = counted
        self.successors: list[dict[int, int]] = [{}]
        """Longer states of each state, by the token that follows."""
        self.link: list[int] = [-1]
        self.length: list[int] = [0]
        self.count: list[int] = [0]
        """Occurrences; kept for states whose shortest substring has ``counted`` tokens or fewer."""
        self._nearest: list[int] = [START]
        """Suffix of each state on the way to the next counted one; itself if it is counted."""
        self._last = START
        self._tokens = 0

    def __len__(self) -> int:
        """Tokens that were read."""
        return self._tokens

    @property
    def last(self) -> int:
        """State of the current text."""
        return self._last

    def start(self) -> None:
        """Begin another text."""
        self._last = START

    @property
    def longest_repeat(self) -> int:
        """State of the longest suffix of the current text that was followed by a token before."""
        return self.continued(self._last)

    def continued(self, state: int) -> int:
        """The longest suffix of a state that is followed by a token, short enough that the
        occurrences of both together are counted."""
        state = self._nearest_counted(state)
        while state and (not self.successors[state] or self._shortest(state) == self._counted):
            state = self.link[state]
        return state

    def follow(self, state: int, token: int) -> int:
        """State of the longest suffix of a state's string and a token."""
        while state != START and token not in self.successors[state]:
            state = self.link[state]
        return self.successors[state].get(token, START)

    def read(self, token: int) -> None:
        """Append a token to the current text."""
        self._tokens += 1
        before = self._last
        found = self.successors[before].get(token)
        if found is None:
            self._last = self._append(before, token)
        elif self.length[found] == self.length[before] + 1:
            self._last = found
        else:
            self._last = self._split(before, token, found)
        state = self._nearest_counted(self._last)
        while state != START:
            self.count[state] += 1
            state = self.link[state]

    def _append(self, before: int, token: int) -> int:
        """A new state for the whole text."""
        state = self._add(self.length[before] + 1, {}, 0)
        while before != -1 and token not in self.successors[before]:
            self.successors[before][token] = state
            before = self.link[before]
        if before == -1:
            suffix = START
        else:
            suffix = self.successors[before][token]
            if self.length[suffix] != self.length[before] + 1:
                suffix = self._split(before, token, suffix)
        self._set_link(state, suffix)
        return state

    def _split(self, before: int, token: int, state: int) -> int:
        """A state for the suffixes of ``state`` up to the longest of ``before`` and a token."""
        short = self._add(self.length[before] + 1, dict(self.successors[state]), self.count[state])
        self._set_link(short, self.link[state])
        self._set_link(state, short)
        while before != -1 and self.successors[before].get(token) == state:
            self.successors[before][token] = short
            before = self.link[before]
        return short

    def _add(self, length: int, successors: dict[int, int], count: int) -> int:
        self.successors.append(successors)
        self.link.append(START)
        self.length.append(length)
        self.count.append(count)
        self._nearest.append(START)
        return len(self.link) - 1

    def _set_link(self, state: int, suffix: int) -> None:
        self.link[state] = suffix
        self._nearest[state] = state if self._shortest(state) <= self._counted else suffix

    def _shortest(self, state: int) -> int:
        return self.length[self.link[state]] + 1

    def _nearest_counted(self, state: int) -> int:
        """The state or its longest counted suffix; shortens the ways that it takes."""
        way, nearest = [], self._nearest
        while nearest[state] != state:
            way.append(state)
            state = nearest[state]
        for passed in way:
            nearest[passed] = state
        return state
