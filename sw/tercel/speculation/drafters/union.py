"""One tree from several drafters, by what was accepted of each."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from tercel.device import PassInterruptedError
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.acceptance_rates import AcceptanceRates
from tercel.speculation.drafters.tree_builder import depth_first
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round

__all__ = ["Union"]

BUCKETS = 16
"""Ranges of equal width of a part's estimate that a node is right if its parent is."""
UNKNOWN = 0.5
"""Estimate of the nodes of a drafter that gives none."""


class _Paths:
    """Token paths of at most ``depth`` tokens that one part or more proposed, each once."""

    def __init__(self, depth: int):
        self._depth = depth
        self._nodes: dict[tuple[int, int], int] = {}
        """By parent and token."""
        self._tokens: list[int] = []
        self._parents: list[int] = []
        self._estimates: list[float] = []

    def merge(self, draft: DraftTree, rates: AcceptanceRates) -> None:
        """Add a draft's paths with their measured chances; probes have no place in a union."""
        places: list[tuple[int, float] | None] = []
        depths = draft.depths
        for node, (token, parent) in enumerate(zip(draft.tokens, draft.parents, strict=True)):
            above = (ROOT, 1.0) if parent == ROOT else places[parent]
            if above is None or node in draft.rows or depths[node] > self._depth:
                places.append(None)
                continue
            reach = above[1] * rates[_bucket(draft, node)]
            place = self._nodes.setdefault((above[0], token), len(self._tokens))
            if place == len(self._tokens):
                self._tokens.append(token)
                self._parents.append(above[0])
                self._estimates.append(reach)
            elif reach > self._estimates[place]:
                self._estimates[place] = reach
            places.append((place, reach))

    def likeliest(self, nodes: int) -> DraftTree:
        """The tree of the nodes with the highest estimates."""
        # No node has a higher estimate than its parent, which comes first among equals.
        order = sorted(range(len(self._tokens)), key=lambda node: -self._estimates[node])[:nodes]
        children: dict[int, list[int]] = {ROOT: []}
        for node in order:
            children[self._parents[node]].append(node)
            children[node] = []
        return depth_first(self._tokens, self._estimates, children)


class Union(Drafter):
    """Merges the drafts of its parts by their token paths and keeps the likeliest nodes.

    A part says how likely each of its nodes is, given its parent. What that is worth is measured:
    each part has running rates of acceptance by ranges of it. They are compared with the text that
    followed, whether or not the union took the node. A path of several parts has the highest of
    their estimates.

    Parameters
    ----------
    parts
        Drafters, each reserved for this union. One that fails drafts nothing in that round.
    """

    def __init__(self, parts: Sequence[Drafter]):
        self._parts = tuple(parts)
        self.needs = reduce(or_, (part.needs for part in self._parts), PassNeeds())
        guesses = [(bucket + 0.5) / BUCKETS for bucket in range(BUCKETS)]
        self._rates = [AcceptanceRates(guesses, memory=256.0) for _ in self._parts]
        self._drafts: list[DraftTree] = []
        self._failures = [0] * len(self._parts)

    @property
    def failures(self) -> tuple[int, ...]:
        """Rounds in which each part failed."""
        return tuple(self._failures)

    def reset(self) -> None:
        self._drafts = []
        for part in self._parts:
            part.reset()

    def interrupt(self) -> None:
        for part in self._parts:
            part.interrupt()

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        self._drafts = []
        paths = _Paths(budget.depth)
        for index, part in enumerate(self._parts):
            try:
                draft = part.propose(state, budget)
                paths.merge(draft, self._rates[index])
            except PassInterruptedError:
                raise
            except Exception:
                # A fault of one part must not take the drafts of the others.
                self._failures[index] += 1
                draft = DraftTree()
            self._drafts.append(draft)
        return paths.likeliest(budget.nodes)

    def observe(self, round: Round) -> None:
        for draft, rates in zip(self._drafts, self._rates, strict=False):
            _compare(draft, round.tokens, rates)
        self._drafts = []
        for index, part in enumerate(self._parts):
            try:
                part.observe(round)
            except Exception:
                self._failures[index] += 1


def _bucket(draft: DraftTree, node: int) -> int:
    """Range of the estimate of a node given its parent."""
    if not draft.estimates:
        return int(UNKNOWN * BUCKETS)
    parent = draft.parents[node]
    above = 1.0 if parent == ROOT else draft.estimates[parent]
    share = draft.estimates[node] / above if above > 0 else 0.0
    return min(int(share * BUCKETS), BUCKETS - 1)


def _compare(draft: DraftTree, tokens: Sequence[int], rates: AcceptanceRates) -> None:
    """Count the nodes whose parents are right and whose tokens are known by now."""
    node = ROOT
    for token in tokens:
        right = None
        for child in draft.children(node):
            hit = draft.tokens[child] == token and right is None
            rates.add(_bucket(draft, child), hit)
            right = child if hit else right
        if right is None:
            break
        node = right
