"""Drafts copied from the text itself, behind the last occurrence of its end."""

from collections.abc import Sequence

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.copy_rates import CopyRates
from tercel.speculation.round import Round

__all__ = ["PromptLookup"]

COMPARED = 16
"""Most tokens of a match that are counted."""


class PromptLookup(Drafter):
    """A chain: what followed the last earlier occurrence of the longest known end of the text.

    Parameters
    ----------
    longest, shortest
        Tokens of the ends that are looked up, the longest first. A draft that reaches the end of
        the text goes on with itself, which continues a loop.

    Raises
    ------
    TercelError
        If ``shortest`` is not in ``1..longest``.
    """

    def __init__(self, *, longest: int = 4, shortest: int = 1):
        if not 1 <= shortest <= longest:
            raise TercelError(
                f"the shortest end must have 1 to {longest} tokens, the longest one's, "
                f"not {shortest}"
            )
        self._sizes = range(longest, shortest - 1, -1)
        self._rates = CopyRates()
        self._following: dict[tuple[int, ...], int] = {}
        """Place behind the last occurrence of each n-gram that has a successor."""
        self._read = 0

    @classmethod
    def open(cls, image: Image, device: Device) -> "PromptLookup":
        return cls()

    def reset(self) -> None:
        self._following.clear()
        self._read = 0

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        tokens = state.tokens
        self._index(tokens)
        for size in self._sizes:
            end = tuple(tokens[-size:])
            if len(end) == size and (place := self._following.get(end)) is not None:
                break
        else:
            return DraftTree()
        self._rates.start(_match(tokens, place, size))
        drafted: list[int] = []
        estimates: list[float] = []
        reach = 1.0
        for depth in range(min(budget.nodes, budget.depth)):
            source = place + depth
            inside = source < len(tokens)
            drafted.append(tokens[source] if inside else drafted[source - len(tokens)])
            reach *= self._rates.rate(depth)
            estimates.append(reach)
        return self._rates.drafted(DraftTree.chain(tuple(drafted), tuple(estimates)))

    def observe(self, round: Round) -> None:
        self._rates.observe(round.tokens)

    def _index(self, tokens: Sequence[int]) -> None:
        """Index the n-grams that have a successor, each place once."""
        for place in range(max(1, self._read), len(tokens)):
            for size in self._sizes:
                if size <= place:
                    self._following[tuple(tokens[place - size : place])] = place
        self._read = len(tokens)


def _match(tokens: Sequence[int], place: int, known: int) -> int:
    """Tokens, up to COMPARED, before a place that are also the last ones; ``known`` of them are."""
    most = min(COMPARED, place)
    while known < most and tokens[-1 - known] == tokens[place - 1 - known]:
        known += 1
    return known
