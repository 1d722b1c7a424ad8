"""Typical acceptance."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from tercel.device import option
from tercel.errors import TercelError
from tercel.sampling import Distribution
from tercel.speculation.acceptor import Acceptor, Outcome, Verdict
from tercel.speculation.draft_tree import ROOT

__all__ = ["Typical", "TypicalConfig"]

LAST = ("sample", "argmax")


@dataclass(frozen=True, kw_only=True)
class TypicalConfig:
    """The threshold ``min(epsilon, delta exp(-entropy))``, and the round's last token.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    epsilon: float = option(0.09, "highest threshold")
    delta: float = option(0.3, "threshold of a flat distribution, by its mean probability")
    last: str = option("sample", "the round's last token: sample of the typical ones, or argmax")

    def __post_init__(self):
        if not 0 < self.epsilon < 1:
            raise TercelError(f"epsilon must be between 0 and 1, not {self.epsilon!r}")
        if not 0 < self.delta < 1:
            raise TercelError(f"delta must be between 0 and 1, not {self.delta!r}")
        if self.last not in LAST:
            raise TercelError(f"last must be one of {', '.join(LAST)}, not {self.last!r}")


class Typical(Acceptor):
    """Accepts tokens that are likely enough for how open the text is (Medusa, arXiv 2401.10774).

    The longest path of accepted nodes wins, of equally long ones the likeliest. At temperature 0
    this is the path of the argmax.
    """

    lossless = False

    def __init__(self, config: TypicalConfig = TypicalConfig()):
        self._config = config

    def accept(self, verdict: Verdict) -> Outcome:
        tree = verdict.tree
        scores: dict[int, tuple[int, float]] = {ROOT: (0, 0.0)}
        law = cache(lambda node: self._law(verdict, node))
        for node, parent in enumerate(tree.parents):
            if parent not in scores or node in tree.rows:
                continue
            p, threshold = law(parent)
            probability = p.probability(tree.tokens[node])
            if probability > threshold:
                depth, likelihood = scores[parent]
                scores[node] = depth + 1, likelihood + math.log(probability)
        node = last = max(scores, key=lambda node: scores[node])
        path = []
        while node != ROOT:
            path.insert(0, node)
            node = tree.parents[node]
        tokens = [tree.tokens[node] for node in path]
        p, threshold = law(last)
        final = int(p.ids[np.argmax(p.probabilities)])
        if self._config.last == "sample":
            kept = p.above(threshold)
            assert kept is not None  # the likeliest token is never below exp(-entropy)
            final = kept.draw(verdict.uniform(last, "typical"))
        return Outcome(path=tuple(path), tokens=(*tokens, final))

    def _law(self, verdict: Verdict, node: int) -> tuple[Distribution, float]:
        """The distribution after a node, and the threshold of typical tokens."""
        p = verdict.distribution(node)
        values = p.probabilities.astype(np.float64)
        entropy = -float(values @ np.log(values))
        return p, min(self._config.epsilon, self._config.delta * math.exp(-entropy))
