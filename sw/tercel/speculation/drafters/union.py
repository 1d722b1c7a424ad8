"""One tree from several drafters, by what was accepted of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from tercel.device import Device, PassInterruptedError
from tercel.image import Image
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafter_file import drafter_path
from tercel.speculation.drafters import hydra, ngram
from tercel.speculation.drafters.acceptance_rates import AcceptanceRates
from tercel.speculation.drafters.hydra import HydraDrafter
from tercel.speculation.drafters.ngram import NgramDrafter
from tercel.speculation.drafters.suffix import SuffixDrafter
from tercel.speculation.drafters.token_recycling import TokenRecycling
from tercel.speculation.drafters.tree_builder import Successor, grow_tree
from tercel.speculation.needs import PassNeeds
from tercel.speculation.round import Round

__all__ = ["Union"]

BUCKETS = 16
"""Ranges of equal width of a part's estimate that a node is right if its parent is."""
UNKNOWN = 0.5
"""Estimate of the nodes of a drafter that gives none."""


@dataclass(eq=False)
class _Node:
    """A token path that one part or more proposed."""

    estimate: float = 0.0
    children: dict[int, "_Node"] = field(default_factory=dict)


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

    @classmethod
    def open(cls, image: Image, device: Device) -> "Union":
        """Suffixes, and the best drafter whose file is beside the image: the recurrent head, the
        n-gram store, else recycled tokens, which need none."""
        # A further part gained nothing, and each takes its time.
        second: Drafter = TokenRecycling()
        if drafter_path(image.path, hydra.KIND).exists():
            second = HydraDrafter.open(image, device)
        elif drafter_path(image.path, ngram.KIND).exists():
            second = NgramDrafter.open(image, device)
        return cls([SuffixDrafter(), second])

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
        top = _Node(estimate=1.0)
        for index, part in enumerate(self._parts):
            try:
                draft = part.propose(state, budget)
                self._merge(top, draft, self._rates[index])
            except PassInterruptedError:
                raise
            except Exception:
                # A fault of one part must not take the drafts of the others.
                self._failures[index] += 1
                draft = DraftTree()
            self._drafts.append(draft)
        return grow_tree(top, _expand, budget)

    def observe(self, round: Round) -> None:
        for draft, rates in zip(self._drafts, self._rates, strict=False):
            _compare(draft, round.tokens, rates)
        self._drafts = []
        for index, part in enumerate(self._parts):
            try:
                part.observe(round)
            except Exception:
                self._failures[index] += 1

    @staticmethod
    def _merge(top: _Node, draft: DraftTree, rates: AcceptanceRates) -> None:
        """Add a draft's paths with their measured chances; probes have no place in a union."""
        places: list[tuple[_Node, float] | None] = []
        for node, (token, parent) in enumerate(zip(draft.tokens, draft.parents, strict=True)):
            above = (top, 1.0) if parent == ROOT else places[parent]
            if above is None or node in draft.rows:
                places.append(None)
                continue
            place, reach = above
            reach *= rates[_bucket(draft, node)]
            child = place.children.setdefault(token, _Node())
            child.estimate = max(child.estimate, reach)
            places.append((child, reach))


def _expand(node: _Node, depth: int) -> Iterator[Successor[_Node]]:
    found = sorted(node.children.items(), key=lambda item: -item[1].estimate)
    for token, child in found:
        yield token, child.estimate / node.estimate, child


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
