"""The interface of acceptors, and acceptance by agreement."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tercel.device import PassResult
from tercel.sampling import Distribution, Sampler
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.needs import PassNeeds

__all__ = ["Acceptor", "Agreement", "Outcome", "Verdict"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The model's results for a root and the tree behind it."""

    tree: DraftTree
    result: PassResult
    root: int
    """Node of the pass that is the tree's root; the tree's nodes follow it."""
    position: int
    """Position of the root."""
    sampler: Sampler

    def pass_node(self, node: int) -> int:
        """Node of the pass of a node of the tree or :data:`ROOT`."""
        return self.root + 1 + node

    def position_of(self, node: int) -> int:
        """Position of a node of the tree or :data:`ROOT`."""
        depth = 0
        while node != ROOT:
            node, depth = self.tree.parents[node], depth + 1
        return self.position + depth

    def draw(self, node: int) -> int:
        """The token that plain decoding draws after a node."""
        return self.sampler.choose(
            self.result, node=self.pass_node(node), position=self.position_of(node)
        )

    def distribution(self, node: int) -> Distribution:
        """The distribution that plain decoding draws from after a node."""
        return self.sampler.distribution(self.result, node=self.pass_node(node))

    def hidden(self, node: int) -> npt.NDArray[np.float32]:
        """Residual stream ``[hidden_size]`` of a node before the final norm."""
        return self.result.hidden[self.pass_node(node)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The tokens that a round adds to the text."""

    path: tuple[int, ...]
    """Accepted nodes of the tree, from a child of the root on."""
    tokens: tuple[int, ...]
    """The tokens of the path, then one more: recovered at the first disagreement, or a bonus."""


class Acceptor(abc.ABC):
    """A pure rule that turns the model's results for a tree into tokens."""

    lossless: ClassVar[bool]
    """True if the emitted tokens have the distribution of plain decoding."""
    needs: ClassVar[PassNeeds] = PassNeeds()
    """Results of each node beside those of the sampler."""

    @abc.abstractmethod
    def accept(self, verdict: Verdict) -> Outcome:
        """Choose the accepted path and the token after it."""


class Agreement(Acceptor):
    """Follows the tokens that plain decoding draws, as long as the tree has them.

    The noise of a draw belongs to its position, so the text equals plain decoding's for every
    draft, seed and filter. One draw per node, never one per path (Daliri et al., arXiv 2408.07978).
    """

    lossless = True

    def accept(self, verdict: Verdict) -> Outcome:
        node, path, tokens = ROOT, [], []
        while True:
            tokens.append(verdict.draw(node))
            child = verdict.tree.child(node, tokens[-1])
            if child is None:
                return Outcome(path=tuple(path), tokens=tuple(tokens))
            node = child
            path.append(child)
