"""The interface of acceptors, which choose the tokens of a round."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.device import PassResult
from tercel.errors import TercelError
from tercel.sampling import Distribution, Sampler, uniform
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.needs import PassNeeds

__all__ = ["Acceptor", "Outcome", "StepwiseAcceptor", "Verdict"]


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
    text: Sequence[int] = ()
    """The text up to the root; not copied, it grows after the round."""
    state: object = None
    """State of the acceptor after the text."""

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

    def top_tokens(self, node: int, count: int) -> list[int]:
        """The tokens of the ``count`` highest logits after a node, highest first.

        Raises
        ------
        TercelError
            If the device sorts fewer.
        """
        ids = self.result.top_ids
        assert ids is not None
        if ids.shape[1] < count:
            raise TercelError(
                f"the rule needs the {count} highest logits, but the device gives {ids.shape[1]}; "
                "choose a smaller number"
            )
        return ids[self.pass_node(node), :count].tolist()

    def uniform(self, node: int, stream: str) -> float:
        """The sampling seed's uniform number of a stream at a node's position."""
        return uniform(self.sampler.config.seed, self.position_of(node), stream)

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
    states: tuple[object, ...] = ()
    """State of the acceptor after each token; empty if it has none."""

    def cut(self, tokens: int) -> "Outcome":
        """The first ``tokens`` tokens alone, one or more."""
        return Outcome(
            path=self.path[: tokens - 1], tokens=self.tokens[:tokens], states=self.states[:tokens]
        )

    def check(self, tree: DraftTree) -> None:
        """Check that the tokens are those of a path of a tree and one more.

        Raises
        ------
        TercelError
            If they are not; a fault of an acceptor.
        """
        before = (ROOT, *self.path)
        if len(self.tokens) != len(before) or len(self.states) not in (0, len(before)):
            raise TercelError(
                f"a path of {len(self.path)} nodes gives {len(before)} tokens, "
                f"not {len(self.tokens)}, and as many states or none"
            )
        for parent, node, token in zip(before, self.path, self.tokens, strict=False):
            if node not in tree.children(parent) or tree.tokens[node] != token:
                raise TercelError(f"node {node} with token {token} does not follow node {parent}")


class Acceptor(abc.ABC):
    """A pure rule that turns the model's results for a tree into tokens.

    A rule with a state returns it with the tokens; the next verdict has the state after the last
    token that was kept.
    """

    lossless: bool
    """True if the emitted tokens have the distribution of plain decoding."""
    keeps_text: bool = False
    """True if they are those of plain decoding, seed by seed: every draw belongs to its position
    alone, so that a token may be left out of a round and drawn again."""
    needs: PassNeeds = PassNeeds()
    """Results of each node beside those of the sampler."""
    reads_proposals: bool = False
    """True if the rule depends on how children were drawn: a tree must then not be pruned, since
    a choice among drawn tokens changes their distribution."""
    needs_predictions: bool = False
    """True if the rule chooses between model and drafter: the drafter is then asked in every round,
    also where there is no room for a draft."""
    first_state: object = None
    """State of a new text."""

    @abc.abstractmethod
    def accept(self, verdict: Verdict) -> Outcome:
        """Choose the accepted path and the token after it."""


class StepwiseAcceptor(Acceptor):
    """A rule that judges node by node: its choice after a node depends on that node alone."""

    @abc.abstractmethod
    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        """The accepted child of a node and its token, or ``None`` and the round's last token."""

    def accept(self, verdict: Verdict) -> Outcome:
        path, tokens = [], []
        child, token = self.step(verdict, ROOT)
        while child is not None:
            path.append(child)
            tokens.append(token)
            child, token = self.step(verdict, child)
        return Outcome(path=tuple(path), tokens=(*tokens, token))
