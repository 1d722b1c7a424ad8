"""The interface of controllers, which choose drafter and size, and the one of a fixed size."""

import abc
from dataclasses import dataclass

from tercel.errors import TercelError
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget
from tercel.speculation.round import Round

__all__ = ["Controller", "DraftPlan", "FixedSize"]


@dataclass(frozen=True, kw_only=True)
class DraftPlan:
    """The draft that a round asks for."""

    drafter: int
    """Index of the drafter among the speculator's."""
    budget: DraftBudget
    probe: bool = False
    """Verify the whole draft, to learn from it."""


class Controller(abc.ABC):
    """Chooses who drafts, how much, and how much of a draft is verified.

    Its decisions cost or save time; with a lossless acceptor they never change the text.
    """

    @abc.abstractmethod
    def plan(self, most: DraftBudget) -> DraftPlan | None:
        """The next draft, within ``most``, which has room for a node; ``None`` makes the round a
        plain pass."""

    def prune(self, tree: DraftTree, plan: DraftPlan, *, waiting: int, spent: float) -> DraftTree:
        """The part of a tree that is worth verifying.

        Parameters
        ----------
        tree
            The draft.
        plan
            The plan that asked for it.
        waiting
            Nodes of the pass without the tree.
        spent
            Seconds that the draft took.
        """
        return tree

    def observe(self, round: Round) -> None:
        """Learn from a verified round."""


class FixedSize(Controller):
    """Drafts of at most ``nodes`` nodes by the first drafter.

    Raises
    ------
    TercelError
        If ``nodes`` is negative.
    """

    def __init__(self, nodes: int):
        if nodes < 0:
            raise TercelError(f"a draft has 0 or more nodes, not {nodes}")
        self._nodes = nodes

    def plan(self, most: DraftBudget) -> DraftPlan | None:
        nodes = min(self._nodes, most.nodes)
        if nodes == 0:
            return None
        return DraftPlan(drafter=0, budget=DraftBudget(nodes=nodes, depth=most.depth))
