"""Measured chance that a copy of earlier text goes on, by the length of the match."""

from collections.abc import Sequence

from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafters.acceptance_rates import AcceptanceRates

__all__ = ["CopyRates"]

GUESSES = (0.0, 0.15, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.72, 0.74, 0.76, 0.78, 0.8, 0.8, 0.85)
"""By tokens of the match; the last is of all longer ones."""


class CopyRates:
    """Rates of acceptance of copied tokens; they outlive the text.

    A drafter tells how long the match behind a draft was; every right token makes it longer.
    """

    def __init__(self):
        self._rates = AcceptanceRates(GUESSES)
        self._matched = 0
        self._tree = DraftTree()

    def start(self, matched: int) -> None:
        """Begin a draft that continues a match of this many tokens."""
        self._matched = matched

    def rate(self, depth: int) -> float:
        """Chance that a token is right after ``depth`` right ones."""
        return self._rates[self._bucket(depth)]

    def drafted(self, tree: DraftTree) -> DraftTree:
        """Keep the draft, to be compared with the text."""
        self._tree = tree
        return tree

    def observe(self, tokens: Sequence[int]) -> None:
        """Learn from the text that followed the draft, whatever part of it was verified."""
        node = ROOT
        for depth, token in enumerate(tokens):
            if not self._tree.children(node):
                break
            child = self._tree.child(node, token)
            self._rates.add(self._bucket(depth), child is not None)
            if child is None:
                break
            node = child
        self._tree = DraftTree()

    def _bucket(self, depth: int) -> int:
        return min(self._matched + depth, len(GUESSES) - 1)
