"""Drafts from the suffixes of the text and of earlier ones, by how often they went on so."""

from __future__ import annotations  # those of inner functions would take time at each draft

from collections.abc import Iterator
from math import log

import numpy as np

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.copy_rates import CopyRates
from tercel.speculation.drafters.shared_noise import rank_candidates
from tercel.speculation.drafters.suffix_automaton import SuffixAutomaton
from tercel.speculation.drafters.tree_builder import Successor, grow_tree
from tercel.speculation.round import Round

__all__ = ["SuffixDrafter"]

COUNTED = 16
"""Most tokens of a match and its continuation."""


class SuffixDrafter(Drafter):
    """A tree scored by frequency, behind the longest suffix that occurred before (SuffixDecoding,
    arXiv 2411.04975).

    A continuation has the share of its occurrences, times the measured rate at which a match of its
    length goes on. The texts of earlier resets are kept: when ``tokens`` were read, they become the
    old generation, and the one before is forgotten. The longer match of the two is drafted.

    Parameters
    ----------
    tokens
        Tokens of a generation.

    Raises
    ------
    TercelError
        If ``tokens`` is less than 1.
    """

    def __init__(self, *, tokens: int = 16384):
        if tokens < 1:
            raise TercelError(f"a suffix drafter must keep 1 token or more, not {tokens}")
        self._tokens = tokens
        self._young = SuffixAutomaton(COUNTED)
        self._old = SuffixAutomaton(COUNTED)
        self._old_state = 0
        self._rates = CopyRates()
        self._read = 0

    @classmethod
    def open(cls, image: Image, device: Device) -> SuffixDrafter:
        return cls()

    def reset(self) -> None:
        self._young.start()
        self._old_state = 0
        self._read = 0

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        for place in range(self._read, len(state.tokens)):
            self._learn(state.tokens[place])
        self._read = len(state.tokens)
        automaton, match = self._young, self._young.longest_repeat
        other = self._old.continued(self._old_state)
        if self._old.length[other] > automaton.length[match]:
            automaton, match = self._old, other
        matched = min(automaton.length[match], COUNTED)
        self._rates.start(matched)
        if not matched:
            return self._rates.drafted(DraftTree())
        sampling, position = state.sampling, state.position

        def expand(at: int, depth: int) -> Iterator[Successor[int]]:
            # A path that reaches the end of a text goes on behind an earlier occurrence.
            following = automaton.successors[automaton.continued(at)]
            rate = self._rates.rate(depth)
            if len(following) == 1:
                for token, after in following.items():
                    yield token, rate, after
                return
            if not following:
                return
            counts = [automaton.count[after] for after in following.values()]
            if not any(counts):  # too long to be counted
                counts = [1] * len(counts)
            shares = np.log(counts) + log(rate / sum(counts))
            ranked = rank_candidates(
                sampling,
                position + depth,
                np.array(list(following)),
                shares,
                most=budget.nodes,
                rest=1 - rate,
                tempered=True,
            )
            for token, estimate in ranked:
                yield token, estimate, following[token]

        return self._rates.drafted(grow_tree(match, expand, budget))

    def observe(self, round: Round) -> None:
        self._rates.observe(round.tokens)

    def _learn(self, token: int) -> None:
        if len(self._young) == self._tokens:
            self._old, self._young = self._young, SuffixAutomaton(COUNTED)
            self._old_state = self._old.last
        self._young.read(token)
        self._old_state = self._old.follow(self._old_state, token)
