"""Exact laws of acceptors on a toy model, by enumeration of their random numbers."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tercel.sampling import Distribution
from tercel.speculation import ROOT, Acceptor, DraftTree, Verdict

Law = dict[Any, Fraction]


class LazyUniform:
    """A uniform number that is known only as far as it was compared with rational numbers."""

    def __init__(self, branch: "Branch"):
        self._branch = branch
        self._low, self._high = Fraction(0), Fraction(1)

    def __lt__(self, bound) -> bool:
        bound = Fraction(bound)
        if bound <= self._low or bound >= self._high:
            return bound >= self._high
        less = self._branch.decide((bound - self._low) / (self._high - self._low))
        if less:
            self._high = bound
        else:
            self._low = bound
        return less


class Branch:
    """One branch of an experiment: the first decisions are given, all later ones are true."""

    def __init__(self, given: list[bool]):
        self._given = given
        self.decisions: list[bool] = []
        self.probability = Fraction(1)
        self._uniforms: dict[Hashable, LazyUniform] = {}

    def decide(self, chance: Fraction) -> bool:
        index = len(self.decisions)
        taken = self._given[index] if index < len(self._given) else True
        self.decisions.append(taken)
        self.probability *= chance if taken else 1 - chance
        return taken

    def uniform(self, key: Hashable) -> LazyUniform:
        """The number of a key: asked twice, it is the same."""
        return self._uniforms.setdefault(key, LazyUniform(self))

    def draw(self, distribution: Distribution, key: Hashable) -> int:
        return distribution.draw(self.uniform(key))  # pyright: ignore[reportArgumentType]


def law_of(experiment: Callable[[Branch], Any]) -> Law:
    """Probability of every result of an experiment."""
    law: Law = {}
    given: list[bool] | None = []
    while given is not None:
        branch = Branch(given)
        result = experiment(branch)
        law[result] = law.get(result, Fraction(0)) + branch.probability
        given = branch.decisions
        while given and not given[-1]:
            given = given[:-1]
        given = [*given[:-1], False] if given else None
    assert sum(law.values()) == 1
    return law


def exact(*weights: int) -> Distribution:
    """Tokens 0, 1, ... by weight; those of weight 0 are absent."""
    ids = [token for token, weight in enumerate(weights) if weight]
    values = [Fraction(weights[token], sum(weights)) for token in ids]
    return Distribution(ids=np.array(ids, np.int64), probabilities=np.array(values, object))


Model = Callable[[tuple[int, ...]], Distribution]
"""The distribution of the token after a text."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactVerdict(Verdict):
    """The verdict of a toy model whose random numbers are enumerated."""

    model: Model
    branch: Branch
    round: int
    """Index of the round, for acceptors that wrongly draw anew in each."""

    def _text_of(self, node: int) -> tuple[int, ...]:
        tokens = []
        while node != ROOT:
            tokens.append(self.tree.tokens[node])
            node = self.tree.parents[node]
        return (*self.text, *reversed(tokens))

    def distribution(self, node: int) -> Distribution:
        return self.model(self._text_of(node))

    def draw(self, node: int) -> int:
        return self.branch.draw(self.distribution(node), (self.position_of(node), "draw"))

    def uniform(self, node: int, stream: str):
        return self.branch.uniform((self.position_of(node), stream))


Drafting = Callable[[Branch, tuple[int, ...], int], DraftTree]
"""The tree of a text in a round."""


def emitted_law(acceptor: Acceptor, model: Model, drafting: Drafting, *, tokens: int) -> Law:
    """Law of the first tokens that rounds of speculation emit."""

    def experiment(branch: Branch) -> tuple[int, ...]:
        text, rounds, state = (), 0, acceptor.first_state
        while len(text) < tokens:
            tree = drafting(branch, text, rounds)
            verdict = ExactVerdict(
                tree=tree,
                result=None,  # pyright: ignore[reportArgumentType]
                root=0,
                position=len(text),
                sampler=None,  # pyright: ignore[reportArgumentType]
                text=text,
                state=state,
                model=model,
                branch=branch,
                round=rounds,
            )
            outcome = acceptor.accept(verdict)
            outcome.check(tree)
            state = outcome.states[-1] if outcome.states else None
            text, rounds = (*text, *outcome.tokens), rounds + 1
        return text[:tokens]

    return law_of(experiment)


def plain_law(model: Model, *, tokens: int) -> Law:
    """Law of the first tokens of plain decoding."""

    def experiment(branch: Branch) -> tuple[int, ...]:
        text = ()
        while len(text) < tokens:
            text = (*text, branch.draw(model(text), len(text)))
        return text

    return law_of(experiment)


def total_variation(one: Law, other: Law) -> Fraction:
    """Half the sum of absolute differences."""
    results = set(one) | set(other)
    return sum((abs(one.get(x, 0) - other.get(x, 0)) for x in results), Fraction(0)) / 2


def mean_length(acceptor: Acceptor, model: Model, drafting: Drafting) -> Fraction:
    """Expected number of tokens that the first round emits."""

    def experiment(branch: Branch) -> int:
        verdict = ExactVerdict(
            tree=drafting(branch, (), 0),
            result=None,  # pyright: ignore[reportArgumentType]
            root=0,
            position=0,
            sampler=None,  # pyright: ignore[reportArgumentType]
            model=model,
            branch=branch,
            round=0,
        )
        return len(acceptor.accept(verdict).tokens)

    law = law_of(experiment)
    return sum((length * chance for length, chance in law.items()), start=Fraction(0))


TARGETS = [exact(3, 2, 1), exact(1, 1, 4), exact(2, 0, 3), exact(1, 5, 1), exact(0, 1, 1)]
DRAFTS = [exact(1, 1, 4), exact(1, 4, 1), exact(5, 1, 1), exact(1, 1, 3), exact(1, 6, 1)]


def target(text: tuple[int, ...]) -> Distribution:
    """A model of three tokens whose distribution depends on the last two."""
    return TARGETS[(len(text) + sum((i + 1) * t for i, t in enumerate(text[-2:]))) % 5]


def drafter(text: tuple[int, ...]) -> Distribution:
    """Another model of them."""
    return DRAFTS[(2 * len(text) + sum((i + 2) * t for i, t in enumerate(text[-2:]))) % 5]


def drawn_chain(length: int, model: Model = drafter) -> Drafting:
    """Chains that a model draws."""

    def draft(branch: Branch, text: tuple[int, ...], round: int) -> DraftTree:
        tokens, proposals = (), {}
        for depth in range(length):
            proposals[depth - 1] = model((*text, *tokens))
            tokens = (*tokens, branch.draw(proposals[depth - 1], ("draft", round, depth)))
        parents = tuple(range(ROOT, length - 1))
        return DraftTree(tokens=tokens, parents=parents, proposals=proposals)

    return draft


def drawn_tree(widths: tuple[int, ...], *, replacement: bool) -> Drafting:
    """Trees of siblings drawn by :func:`drafter`: ``widths[d]`` children of nodes of depth d."""

    def draft(branch: Branch, text: tuple[int, ...], round: int) -> DraftTree:
        tokens, parents, proposals = [], [], {}
        level = [(ROOT, text)]
        for width in widths:
            following = []
            for node, before in level:
                left = proposals[node] = drafter(before)
                for rank in range(min(width, 3 if replacement else len(left.ids))):
                    token = branch.draw(left, ("draft", round, node, rank))
                    following.append((len(tokens), (*before, token)))
                    tokens.append(token)
                    parents.append(node)
                    left = left if replacement else left.without(token)
            level = following
        return DraftTree(
            tokens=tuple(tokens),
            parents=tuple(parents),
            proposals=proposals,
            replacement=replacement,
        )

    return draft


def fixed_tree(branch: Branch, text: tuple[int, ...], round: int) -> DraftTree:
    """A tree that no draw made: two siblings, one of which has a child."""
    first = len(text) % 3
    return DraftTree(tokens=(first, (first + 1) % 3, 2), parents=(ROOT, ROOT, 0))
