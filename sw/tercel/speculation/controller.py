"""The interface of controllers, which choose the size of drafts, and the one of a fixed size."""

import abc

from tercel.errors import TercelError
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, DraftState
from tercel.speculation.round import Round

__all__ = ["Controller", "FixedSize"]


class Controller(abc.ABC):
    """Chooses how much to draft and how much of a draft to verify."""

    @abc.abstractmethod
    def budget(self, state: DraftState, most: DraftBudget) -> DraftBudget:
        """The budget of a draft, within ``most``; 0 nodes make the round a plain pass."""

    def prune(self, tree: DraftTree, state: DraftState) -> DraftTree:
        """The part of a tree that is worth verifying."""
        return tree

    def observe(self, round: Round) -> None:
        """Learn from a verified round."""


class FixedSize(Controller):
    """Drafts of at most ``nodes`` nodes.

    Raises
    ------
    TercelError
        If ``nodes`` is negative.
    """

    def __init__(self, nodes: int):
        if nodes < 0:
            raise TercelError(f"a draft has 0 or more nodes, not {nodes}")
        self._nodes = nodes

    def budget(self, state: DraftState, most: DraftBudget) -> DraftBudget:
        return DraftBudget(nodes=min(self._nodes, most.nodes), depth=most.depth)
