"""Drafts from the device's own top-k of earlier passes (Token Recycling, arXiv 2408.08696)."""

from __future__ import annotations  # those of inner functions would take time at each draft

from collections.abc import Iterator

import numpy as np

from tercel.device import Device
from tercel.image import Image
from tercel.speculation.draft_tree import PROBE, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.acceptance_rates import AcceptanceRates
from tercel.speculation.drafters.shared_noise import rank_candidates
from tercel.speculation.drafters.tree_builder import Successor, grow_tree
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round

__all__ = ["TokenRecycling"]

KEPT = 8
"""Tokens that are kept of each node."""
GUESSES = tuple(0.4 * (1 + rank) ** -1.3 for rank in range(KEPT))
"""Chance of each rank to be the next token, at first."""


class TokenRecycling(Drafter):
    """A tree of the tokens that the model found likeliest when it last saw the token before.

    The top-8 of every node of a pass, rejected ones included, replace those of its token: a matrix
    of at most one row for each token of the vocabulary, which outlives the text. Each rank has a
    running rate at which its token was the next one; these rates are the probabilities that are
    ranked with the noise of the draws.
    """

    needs = PassNeeds(top_k=KEPT)

    def __init__(self):
        self._following: dict[int, list[int]] = {}
        self._rates = AcceptanceRates(GUESSES, memory=256.0)

    @classmethod
    def open(cls, image: Image, device: Device) -> TokenRecycling:
        return cls()

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        if not state.tokens:
            return DraftTree()
        rates = np.array([self._rates[rank] for rank in range(KEPT)])
        log_rates, rest = np.log(rates), 1.0 - float(rates.sum())
        sampling, position = state.sampling, state.position

        def expand(token: int, depth: int) -> Iterator[Successor[int]]:
            if (following := self._following.get(token)) is None:
                return
            ranked = rank_candidates(
                sampling,
                position + depth,
                np.array(following),
                log_rates[: len(following)],
                most=KEPT,
                rest=rest,
                tempered=True,
            )
            for successor, estimate in ranked:
                yield successor, estimate, successor

        return grow_tree(state.tokens[-1], expand, budget)

    def observe(self, round: Round) -> None:
        before = round.root_token
        for token in round.tokens:
            if (following := self._following.get(before)) is not None:
                for rank, candidate in enumerate(following):
                    self._rates.add(rank, candidate == token)
            before = token
        self._learn(round)

    def _learn(self, round: Round) -> None:
        """Replace the rows of the pass's tokens; accepted ones last, so that theirs remain."""
        verdict, path = round.verdict, round.outcome.path
        tree, top_ids = verdict.tree, verdict.result.top_ids
        if top_ids is None:
            return
        rows = top_ids[:, :KEPT].tolist()
        kept = set(path)
        others = (node for node in range(len(tree)) if node not in kept)
        self._following[round.root_token] = rows[verdict.root]
        for node in (*others, *path):
            if (token := tree.tokens[node]) != PROBE:
                self._following[token] = rows[verdict.pass_node(node)]
