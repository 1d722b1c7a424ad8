"""Drafts by a search over trigrams that adapt to the text (ADED, arXiv 2407.12021)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log, sqrt
from random import Random

from tercel.device import Device
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.draft_tree import DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafter_file import drafter_path, load_drafter
from tercel.speculation.drafters.ngram import KIND
from tercel.speculation.drafters.ngram_store import NgramStore
from tercel.speculation.drafters.tree_builder import Successor, grow_tree

__all__ = ["AdaptiveTrigrams", "TrigramWeights"]

SUCCESSORS = 12
"""Successors that are kept of a pair of tokens."""
WINDOW = 16
"""Last tokens whose trigrams gain weight in each round."""
STEP, HIGHEST = 0.04, 3.0
"""Gain of a trigram, and its highest weight."""
EXPLORATION, VISITS = 32.0, 8.0
"""Constants c1 and c2 of the score of a child."""
Pair = tuple[int, int]
"""The last two tokens, the newest first."""


class TrigramWeights:
    """Weights of the successors of a pair: a store's probabilities, and what the text added.

    Parameters
    ----------
    store
    pairs
        Most pairs whose weights were changed; the one that was changed first is forgotten.
    """

    def __init__(self, store: NgramStore, *, pairs: int = 8192):
        self._store = store
        self._most = pairs
        self._changed: dict[Pair, dict[int, float]] = {}

    def __getitem__(self, pair: Pair) -> dict[int, float]:
        """Weights by token, at most 12; empty for an unknown pair."""
        changed = self._changed.get(pair)
        return dict(self._store.successors(pair, SUCCESSORS)) if changed is None else changed

    def add(self, pair: Pair, token: int) -> None:
        """Add to the weight of a trigram; a new one replaces the least if there are 12."""
        weights = self[pair]
        if token not in weights and len(weights) == SUCCESSORS:
            del weights[min(weights, key=lambda other: (weights[other], -other))]
        weights[token] = min(weights.get(token, 0.0) + STEP, HIGHEST)
        if pair not in self._changed and len(self._changed) == self._most:
            del self._changed[next(iter(self._changed))]
        self._changed[pair] = weights


@dataclass(eq=False)
class _Node:
    """A path of drafted tokens in the search."""

    pair: Pair
    weight: float
    """Weight of its last trigram."""
    visits: int = 0
    reward: float = 0.0
    children: dict[int, "_Node"] | None = field(default=None)
    """By token, heaviest first; ``None`` before the first visit."""


class AdaptiveTrigrams(Drafter):
    """The most visited paths of a Monte Carlo tree search from the last two tokens.

    A child that was not visited comes first, the heaviest before the others; of visited ones, the
    highest ``Q/n + (c1 + ln((N + c2 + 1)/c2)) P sqrt(N)/(1 + n)`` (N, n: visits of parent and
    child, P: weight, Q: sum of rewards). The rest of a path is drawn by weight; the reward is 1 and
    the weights along it. An unknown pair is declined. The search is the same for the same text.

    Parameters
    ----------
    weights
    iterations
        Paths that are tried.
    depth
        Tokens of a path.

    Raises
    ------
    TercelError
        If a number is less than 1.
    """

    def __init__(self, weights: TrigramWeights, *, iterations: int = 150, depth: int = 4):
        if min(iterations, depth) < 1:
            raise TercelError(
                f"a search needs 1 or more iterations and tokens, not {iterations} and {depth}"
            )
        self._weights = weights
        self._iterations = iterations
        self._depth = depth

    @classmethod
    def open(cls, image: Image, device: Device) -> "AdaptiveTrigrams":
        """The drafter of the store beside an image.

        Raises
        ------
        TercelError
            If there is none, or it does not belong to the model.
        """
        file = load_drafter(drafter_path(image.path, KIND), kind=KIND, image=image)
        return cls(TrigramWeights(NgramStore.of_tensors(file.tensors)))

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        last = list(state.tokens[-WINDOW:])
        for first, second, third in zip(last, last[1:], last[2:], strict=False):
            self._weights.add((second, first), third)
        if len(last) < 2:
            return DraftTree()
        root = _Node(pair=(last[-1], last[-2]), weight=0.0)
        if not self._children(root):
            return DraftTree()
        random = Random(state.position)
        for _ in range(self._iterations):
            self._try(root, random)
        return grow_tree(root, self._expand, budget)

    def _try(self, root: _Node, random: Random) -> None:
        """Walk to the first node that was not visited, then on at random; count the reward."""
        path, node = [root], root
        while node.visits and len(path) <= self._depth and self._children(node):
            node = _choose(node)
            path.append(node)
        reward, pair = 1.0 + sum(passed.weight for passed in path), node.pair
        for _ in range(self._depth + 1 - len(path)):
            weights = self._weights[pair]
            if not weights:
                break
            token = random.choices(list(weights), list(weights.values()))[0]
            reward += weights[token]
            pair = (token, pair[0])
        for passed in path:
            passed.visits += 1
            passed.reward += reward

    def _children(self, node: _Node) -> dict[int, _Node]:
        if node.children is None:
            heaviest = sorted(
                self._weights[node.pair].items(), key=lambda item: (-item[1], item[0])
            )
            node.children = {
                token: _Node(pair=(token, node.pair[0]), weight=weight)
                for token, weight in heaviest
            }
        return node.children

    def _expand(self, node: _Node, depth: int) -> Iterator[Successor[_Node]]:
        """Visited children by visits, then weight; behind the search the heaviest one."""
        children = self._children(node)
        visited = [item for item in children.items() if item[1].visits]
        visited.sort(key=lambda item: (-item[1].visits, -item[1].weight))
        for token, child in visited:
            yield token, child.visits / node.visits, child
        if not visited and children:
            token, child = next(iter(children.items()))
            yield token, child.weight / sum(other.weight for other in children.values()), child


def _choose(node: _Node) -> _Node:
    """The child to visit next."""
    children = (node.children or {}).values()
    for child in children:
        if not child.visits:
            return child
    factor = (EXPLORATION + log((node.visits + VISITS + 1) / VISITS)) * sqrt(node.visits)
    return max(
        children,
        key=lambda child: child.reward / child.visits + factor * child.weight / (1 + child.visits),
    )
