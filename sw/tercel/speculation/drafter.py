"""The interface of drafters."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tercel.sampling import SamplingConfig
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.needs import PassNeeds

if TYPE_CHECKING:
    from tercel.speculation.round import Round

__all__ = ["DraftBudget", "DraftState", "Drafter"]


@dataclass(frozen=True, kw_only=True)
class DraftBudget:
    """The largest tree that a round can verify."""

    nodes: int
    """Most nodes."""
    depth: int
    """Most nodes of a path."""


@dataclass(frozen=True, kw_only=True)
class DraftState:
    """The text that a draft continues."""

    tokens: Sequence[int]
    """The text so far, not copied: it grows between rounds, and changes only after a reset."""
    position: int
    """Position of the last token, the root. Its child at depth d is drawn with the noise of
    position ``position + d - 1``."""
    sampling: SamplingConfig
    """Filters and noise of the draws to guess."""


class Drafter(abc.ABC):
    """Proposes the tokens that follow a text.

    A drafter never decides about the text: with a lossless acceptor a bad draft costs time alone.
    """

    needs: PassNeeds = PassNeeds()
    """Results of each verified node that :meth:`observe` reads."""
    gives_predictions: bool = False
    """True if its trees have :attr:`DraftTree.predictions`."""

    def reset(self) -> None:
        """Forget the text; a new one begins."""

    def interrupt(self) -> None:
        """Ask a running :meth:`propose` to end soon.

        It may then raise :class:`~tercel.device.PassInterruptedError`, which ends the generation.
        May be called from a signal handler or another thread. Drafters that are quick may ignore
        it.
        """

    @abc.abstractmethod
    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        """Propose a tree of at most ``budget.nodes`` nodes, or an empty one.

        The likeliest path comes first: accepted nodes that already lie in a row need no move in
        the cache. An exception counts as an empty tree.
        """

    def observe(self, round: "Round") -> None:
        """Learn from a verified round, after its tokens were kept.

        Every round that it drafted for is shown to it, and the one just before :meth:`propose`,
        whoever drafted; of the others it sees the tokens alone, in the text.
        """
