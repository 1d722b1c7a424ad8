"""Growth of a tree within a budget, best node first."""

from __future__ import annotations  # those of inner functions would take time at each draft

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import TypeVar

from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget

__all__ = ["Successor", "depth_first", "grow_tree"]

S = TypeVar("S")
Successor = tuple[int, float, S]
"""Token, probability that it follows its parent, and the state from which it is expanded."""


def grow_tree(
    root: S,
    expand: Callable[[S, int], Iterable[Successor[S]]],
    budget: DraftBudget,
    *,
    least: float = 0.0,
) -> DraftTree:
    """Grow the tree of the nodes with the highest estimates.

    The estimate of a node is the product of the probabilities along its path. Nodes are added in
    falling order of it, so a smaller budget gives a part of the same tree.

    Parameters
    ----------
    root
        State of the root.
    expand
        From the state and the depth of a node (0 for the root), its successors, likeliest first,
        each token once. Read as far as it is needed, once for a node, and only if its children
        may be added.
    budget
    least
        Smallest estimate of a node that is expanded, for a drafter whose expansions take a time
        that improbable nodes are not worth.

    Returns
    -------
    The nodes depth first, the likeliest child first: the likeliest path comes first.
    """
    tokens: list[int] = []
    estimates: list[float] = []
    depths: list[int] = []
    children: dict[int, list[int]] = {ROOT: []}
    heap: list[tuple[float, int, int, int, S, Iterator[Successor[S]]]] = []
    pushed = 0

    def push(parent: int, reach: float, successors: Iterator[Successor[S]]) -> None:
        """Offer the next successor of a node, which has the estimate ``reach``."""
        nonlocal pushed
        if (successor := next(successors, None)) is not None:
            token, probability, state = successor
            estimate = reach * min(probability, 1.0)
            heappush(heap, (-estimate, pushed, parent, token, state, successors))
            pushed += 1

    if budget.nodes > 0 and budget.depth > 0:
        push(ROOT, 1.0, iter(expand(root, 0)))
    while heap and len(tokens) < budget.nodes:
        estimate, _, parent, token, state, siblings = heappop(heap)
        node = len(tokens)
        tokens.append(token)
        estimates.append(-estimate)
        depth = 1 if parent == ROOT else depths[parent] + 1
        depths.append(depth)
        children[parent].append(node)
        children[node] = []
        if len(tokens) == budget.nodes:
            break
        push(parent, 1.0 if parent == ROOT else estimates[parent], siblings)
        if depth < budget.depth and estimates[node] >= least:
            push(node, estimates[node], iter(expand(state, depth)))
    return depth_first(tokens, estimates, children)


def depth_first(
    tokens: Sequence[int], estimates: Sequence[float], children: Mapping[int, Sequence[int]]
) -> DraftTree:
    """The tree of nodes whose children are given by node, in order; the root's by ``ROOT``."""
    order: list[int] = []
    parents: list[int] = []
    waiting = [(node, ROOT) for node in reversed(children[ROOT])]
    while waiting:
        node, parent = waiting.pop()
        place = len(order)
        order.append(node)
        parents.append(parent)
        waiting += [(child, place) for child in reversed(children[node])]
    return DraftTree(
        tokens=tuple(tokens[node] for node in order),
        parents=tuple(parents),
        estimates=tuple(estimates[node] for node in order),
    )
