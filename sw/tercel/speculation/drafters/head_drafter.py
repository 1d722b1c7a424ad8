"""Base of the drafters with trained heads: the hidden state, and the tree of the heads' guesses."""

from __future__ import annotations  # those of inner functions would take time at each draft

import abc
from collections.abc import Iterator
from typing import ClassVar

from tercel.sampling import SamplingConfig
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.head_arithmetic import Vector, normalise
from tercel.speculation.drafters.one_thread import OneThread
from tercel.speculation.drafters.tree_builder import Successor, grow_tree
from tercel.speculation.drafters.trimmed_head import TrimmedHead
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round

__all__ = ["HeadDrafter"]


class HeadDrafter(Drafter):
    """Drafts from the hidden state of the last kept node.

    That is the hidden state from which the root was drawn, so the heads see it and the root.
    Declines until a pass has given one.

    Parameters
    ----------
    head
    least
        Smallest estimate of a node whose successors are guessed: below it, the time that they take
        is worth more than they are.
    """

    needs: ClassVar[PassNeeds] = PassNeeds(hidden=True)

    def __init__(self, head: TrimmedHead, *, least: float):
        self._head = head
        self._least = least
        self._input: Vector | None = None
        self._one_thread = OneThread()

    @abc.abstractmethod
    def _first(self, hidden: Vector, root: int) -> Vector:
        """State ``[width]`` of the root, from the normalised hidden state."""

    @abc.abstractmethod
    def _next(self, state: Vector, token: int, depth: int) -> Vector:
        """State ``[width]`` of a node at a depth from 1 on, from its parent's."""

    def _guess(
        self,
        state: Vector,
        token: int,
        sampling: SamplingConfig,
        *,
        position: int,
        depth: int,
        most: int,
    ) -> list[tuple[int, float]]:
        """Successors of a node, best first, with their probabilities."""
        return self._head.guess(state, token, sampling, position=position, depth=depth, most=most)

    def reset(self) -> None:
        self._input = None

    def observe(self, round: Round) -> None:
        self._input = normalise(round.verdict.result.hidden[round.last_node])

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        if self._input is None:
            return DraftTree()
        sampling, most = state.sampling, budget.nodes

        def expand(node: tuple[Vector, int], depth: int) -> Iterator[Successor[tuple[Vector, int]]]:
            before, token = node
            after = self._next(before, token, depth) if depth else self._first(before, token)
            position = state.position + depth
            for successor, probability in self._guess(
                after, token, sampling, position=position, depth=depth, most=most
            ):
                yield successor, probability, (after, successor)

        with self._one_thread:
            return grow_tree(
                (self._input, state.tokens[-1]),
                expand,
                DraftBudget(nodes=budget.nodes, depth=min(budget.depth, self._head.levels)),
                least=self._least,
            )
