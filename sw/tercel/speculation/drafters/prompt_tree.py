"""Trees of candidates and prompt tokens for parallel prompt decoding (arXiv 2405.18628).

A *state* is the number of depths for which the last round left guesses. A tree of a state has
candidates, taken from the guesses by rank, and prompt tokens behind candidates and root, which make
the guesses of the next round. All expectations follow from ``acceptance[i, r]``, the chance that
rank ``r`` at depth ``i + 1`` is right.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.speculation.draft_tree import ROOT

__all__ = ["PromptTree", "best_plan", "build_tree", "plan_trees", "score"]

DOUBLINGS = 20
"""Steps of the Markov chain, as a power of two, after which its states count as settled."""


@dataclass(frozen=True, kw_only=True)
class PromptTree:
    """The tree of one state."""

    parents: tuple[int, ...]
    """Parent of each candidate, :data:`ROOT` or an earlier one; the likeliest path comes first."""
    ranks: tuple[int, ...]
    """Rank of each candidate among the guesses of its depth."""
    weights: tuple[float, ...]
    """Expected probability that each candidate is accepted."""
    prompts: tuple[int, ...]
    """Prompt tokens behind the root, then behind each candidate."""

    @property
    def accepted(self) -> float:
        """Expected number of accepted candidates."""
        return sum(self.weights)

    @property
    def last(self) -> tuple[float, ...]:
        """Probability that the root, then each candidate is the last one accepted."""
        return _last(self.parents, self.weights)

    @property
    def nodes(self) -> int:
        """Candidates and prompt tokens."""
        return len(self.parents) + sum(self.prompts)


def _last(parents: Sequence[int], weights: Sequence[float]) -> tuple[float, ...]:
    last = [1.0, *weights]
    for parent, weight in zip(parents, weights, strict=True):
        last[parent + 1] -= weight
    return tuple(last)


def _best_paths(
    acceptance: npt.NDArray[np.float64], candidates: int
) -> tuple[list[int], list[int], list[float]]:
    """Parents, ranks and weights of the likeliest paths, the likeliest path first.

    Fewer than ``candidates`` if all others have no weight.
    """
    chosen: dict[tuple[int, ...], float] = {}
    heap: list[tuple[float, tuple[int, ...]]] = [(-1.0, ())]
    while heap and len(chosen) <= candidates:
        weight, path = heapq.heappop(heap)
        chosen[path] = -weight
        if len(path) < len(acceptance):
            for rank, chance in enumerate(acceptance[len(path)]):
                if chance > 0:
                    heapq.heappush(heap, (weight * float(chance), (*path, rank)))
    children: dict[tuple[int, ...], list[tuple[int, ...]]] = {path: [] for path in chosen}
    for path in list(chosen)[1:]:  # best first, so siblings are in order
        children[path[:-1]].append(path)
    parents, ranks, weights = [], [], []
    waiting = [(path, ROOT) for path in reversed(children[()])]
    while waiting:
        path, parent = waiting.pop()
        waiting += [(child, len(ranks)) for child in reversed(children[path])]
        parents.append(parent)
        ranks.append(path[-1])
        weights.append(chosen[path])
    return parents, ranks, weights


def build_tree(
    acceptance: npt.NDArray[np.float64],
    *,
    depths: int,
    candidates: int,
    nodes: int,
    values: Sequence[float],
) -> PromptTree:
    """Build the tree of a state.

    The likeliest candidates are chosen first. All of them and the root get a prompt token for each
    depth; then one prompt token after another is removed where least is lost: the chance that its
    node is the last one accepted times the difference between the values of the two states.

    Parameters
    ----------
    acceptance
        ``[m, ranks]``.
    depths
        The state, in ``0..m``.
    candidates
        Most candidates.
    nodes
        Most nodes, at least ``candidates``.
    values
        By state ``0..m``, the expected number of tokens accepted in a round of that state.
    """
    most = len(acceptance)
    parents, ranks, weights = _best_paths(acceptance[:depths], candidates)
    last = _last(parents, weights)
    prompts = [most] * (1 + len(parents))

    def loss(node: int) -> float:
        return last[node] * (values[prompts[node]] - values[prompts[node] - 1])

    while sum(prompts) > nodes - len(parents):
        # Of equal losses, the one of the unlikelier node.
        held = [node for node in reversed(range(len(prompts))) if prompts[node]]
        prompts[min(held, key=loss)] -= 1
    return PromptTree(
        parents=tuple(parents),
        ranks=tuple(ranks),
        weights=tuple(weights),
        prompts=tuple(prompts),
    )


def score(trees: Sequence[PromptTree]) -> float:
    """Expected accepted tokens a round, over the states that rounds pass through.

    The states are a Markov chain that starts without guesses: the next one is the number of prompt
    tokens behind the last accepted node.

    Parameters
    ----------
    trees
        By state ``0..m``.
    """
    chain = np.zeros((len(trees), len(trees)))
    for state, tree in enumerate(trees):
        np.add.at(chain[state], list(tree.prompts), tree.last)
    # Half of each step stays, so that periods die out and the shares stay the same.
    shares = np.linalg.matrix_power((chain + np.eye(len(trees))) / 2, 2**DOUBLINGS)[0]
    return float(shares @ [tree.accepted for tree in trees])


def plan_trees(acceptance: npt.NDArray[np.float64], nodes: int) -> tuple[PromptTree, ...]:
    """The trees of all states ``0..m`` with at most ``nodes`` nodes each and the best score.

    The number of candidates is searched state after state until no change of one improves the
    score.
    """
    states = range(1, len(acceptance) + 1)

    def build(counts: list[int]) -> tuple[PromptTree, ...]:
        values = [sum(_best_paths(acceptance[:s], n)[2]) for s, n in enumerate(counts)]
        return tuple(
            build_tree(acceptance, depths=s, candidates=n, nodes=nodes, values=values)
            for s, n in enumerate(counts)
        )

    counts = [0] + [nodes // 2 for _ in states]
    best = build(counts)
    improved = True
    while improved:
        improved = False
        for state in states:
            for count in range(nodes + 1):
                tried = [*counts[:state], count, *counts[state + 1 :]]
                trees = build(tried)
                if score(trees) > score(best) + 1e-9:
                    counts, best, improved = tried, trees, True
    return best


def best_plan(
    plans: Sequence[tuple[PromptTree, ...]], costs: Sequence[float]
) -> tuple[PromptTree, ...]:
    """The plan that emits the most tokens for its time.

    Parameters
    ----------
    plans
        Results of :func:`plan_trees` for 0, 1, ... nodes.
    costs
        Time of a pass with each of them: of 1, 2, ... nodes, the root included, in any unit.

    Raises
    ------
    TercelError
        If there are no costs or one is not positive.
    """
    if not costs or min(costs) <= 0:
        raise TercelError(f"costs of passes must be positive and at least one, not {list(costs)}")
    rates = [(1 + score(trees)) / cost for trees, cost in zip(plans, costs, strict=True)]
    return plans[int(np.argmax(rates))]
