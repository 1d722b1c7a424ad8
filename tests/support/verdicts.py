"""Verdicts of given distributions and draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tercel.device import Limits, PassResult
from tercel.sampling import Distribution, Sampler, SamplingConfig
from tercel.speculation import DraftTree, Verdict

LIMITS = Limits(nodes=32, context=64, top_k=4)


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenVerdict(Verdict):
    """A verdict whose distributions, draws and uniform numbers are given by node."""

    laws: Mapping[int, Distribution] = field(default_factory=dict)
    draws: Mapping[int, int] = field(default_factory=dict)
    quantile: float = 0.0

    def distribution(self, node: int) -> Distribution:
        return self.laws[node]

    def draw(self, node: int) -> int:
        return self.draws[node]

    def uniform(self, node: int, stream: str) -> float:
        return self.quantile


def law(*probabilities: float) -> Distribution:
    """Tokens 0, 1, ... with these probabilities; those of 0 are absent."""
    values = np.array(probabilities)
    return Distribution(ids=np.flatnonzero(values), probabilities=values[values > 0])


def given(tree: DraftTree, *, result: PassResult | None = None, **fields) -> GivenVerdict:
    """A verdict whose root is node 0 of the pass, at position 10."""
    return GivenVerdict(
        tree=tree,
        result=PassResult() if result is None else result,
        root=0,
        position=10,
        sampler=Sampler(SamplingConfig(), limits=LIMITS, vocab_size=16),
        **fields,
    )
