"""Drafts from rows that stand in for tokens not known yet: parts of PPD and SDSAT.

Behind a node at position t, row i = 1..m stands at t + i and its output guesses the token at
t + i + 1. Guesses behind the last accepted node are the candidates of the next round: those of row
i are its depth i.
"""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tercel.numerics.float32 import Float32
from tercel.speculation.draft_tree import PROBE, ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.prompt_tree import PromptTree
from tercel.speculation.drafters.shared_noise import rank_candidates
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round

__all__ = ["RANKS", "ProbeGuesses"]

RANKS = 10
"""Guesses of a row that can become candidates."""


class ProbeGuesses(Drafter):
    """Turns the guesses of a round into the candidates of the next; a subclass plans the trees.

    Guesses are ranked with the noise of the draws. Trees have no estimates: a row pays in the round
    after, and the plan follows the cost of passes by itself.

    Parameters
    ----------
    rows
        ``[m, hidden_size]`` initial residual streams.
    """

    needs: ClassVar[PassNeeds] = PassNeeds(top_k=RANKS)

    def __init__(self, rows: Float32):
        self._rows = [np.asarray(row, np.float32) for row in rows]
        self._guesses: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
        """By depth, ids and log-probabilities of the guesses behind the root."""

    @abc.abstractmethod
    def _plan(self, state: DraftState, nodes: int, depths: int, ranks: int) -> PromptTree:
        """The tree of a round.

        Parameters
        ----------
        state
        nodes
            Most nodes.
        depths
            Depths that have guesses.
        ranks
            Guesses of each depth.
        """

    def reset(self) -> None:
        self._guesses = []

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        ranks = min((len(ids) for ids, _ in self._guesses), default=RANKS)
        plan = self._plan(state, budget.nodes, len(self._guesses), ranks)
        ranked = [self._ranked(depth, state) for depth in range(len(self._guesses))]
        tokens: list[int] = []
        depths: list[int] = []
        for parent, rank in zip(plan.parents, plan.ranks, strict=True):
            depths.append(0 if parent == ROOT else depths[parent] + 1)
            tokens.append(ranked[depths[-1]][rank])
        parents = list(plan.parents)
        rows: dict[int, Float32] = {}
        for node, prompts in enumerate(plan.prompts, start=ROOT):
            parent = node
            for row in self._rows[:prompts]:
                rows[len(tokens)] = row
                parents.append(parent)
                parent = len(tokens)
                tokens.append(PROBE)
        whole = DraftTree(tokens=tuple(tokens), parents=tuple(parents), rows=rows)
        if len(whole) and max(whole.depths) > budget.depth:
            return whole.select([n for n, d in enumerate(whole.depths) if d <= budget.depth])
        return whole

    def observe(self, round: Round) -> None:
        """Take the guesses of the rows behind the last accepted node.

        The tree may have been cut, or hold nodes of other drafters.
        """
        verdict, result = round.verdict, round.verdict.result
        node = round.outcome.path[-1] if round.outcome.path else ROOT
        self._guesses = []
        for row in self._rows:
            probe = self._probe(verdict.tree, node, row)
            if probe is None:
                break
            assert result.top_ids is not None
            assert result.top_logits is not None
            assert result.logsumexp is not None
            place = verdict.pass_node(probe)
            logs = result.top_logits[place, :RANKS] - result.logsumexp[place]
            self._guesses.append((result.top_ids[place, :RANKS].astype(np.int64), logs))
            node = probe

    @staticmethod
    def _probe(tree: DraftTree, parent: int, row: Float32) -> int | None:
        """The node of a row behind a parent."""
        for node, given in tree.rows.items():
            if tree.parents[node] == parent and given is row:
                return node
        return None

    def _ranked(self, depth: int, state: DraftState) -> Sequence[int]:
        """The guesses of a depth, the likeliest first."""
        ids, logs = self._guesses[depth]
        position = state.position + depth
        ranked = rank_candidates(state.sampling, position, ids, logs, most=len(ids))
        return [token for token, _ in ranked]
