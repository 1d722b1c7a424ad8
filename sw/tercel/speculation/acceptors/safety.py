"""Speculative safety-aware decoding: a choice between the model and a safe expert."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tercel.device import option
from tercel.errors import TercelError
from tercel.sampling import Distribution
from tercel.speculation.acceptor import Acceptor, Outcome, Verdict
from tercel.speculation.draft_tree import ROOT
from tercel.speculation.needs import PassNeeds

__all__ = ["SafetyComposite", "SafetyConfig", "SafetyState"]

THRESHOLD_STEP = 0.1
WEIGHT_STEP = 0.15
LEAST_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class SafetyConfig:
    """Parameters of the choice; weights and threshold are those that a mode starts with.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    overlap: int = option(10, "tokens that both models' best lists must share, or their length")
    intersection_weight: float = option(0.3, "weight of the expert while both models agree")
    union_weight: float = option(0.8, "weight of the expert while they disagree")
    threshold: float = option(0.6, "rate of matches below which they disagree")
    period: int = option(7, "judged tokens after which the mode is chosen anew")

    def __post_init__(self):
        for name in ("overlap", "period"):
            if (value := getattr(self, name)) < 1:
                raise TercelError(f"{name} must be 1 or more, not {value}")
        for name in ("intersection_weight", "union_weight"):
            if not 0 <= (value := getattr(self, name)) < np.inf:
                raise TercelError(f"{name} must be 0 or more, not {value!r}")
        if not 0 <= self.threshold <= 1:
            raise TercelError(f"threshold must be in 0..1, not {self.threshold!r}")


@dataclass(frozen=True, kw_only=True)
class SafetyState:
    """The mode of a text, and its annealing."""

    union: bool = False
    threshold: float
    weight: float
    """Weight of the expert in intersection mode."""
    judged: int = 0
    """Tokens since the mode was chosen."""
    matched: int = 0
    """Those of them that the expert had proposed."""

    def judge(self, matched: bool, config: SafetyConfig) -> "SafetyState":
        """The state after one more judged token."""
        counted = replace(self, judged=self.judged + 1, matched=self.matched + matched)
        if counted.judged < config.period:
            return counted
        union = counted.matched / counted.judged < self.threshold
        if union != self.union:
            return replace(_first(config), union=union)
        weight = self.weight
        if not union:
            weight = max(weight - WEIGHT_STEP, min(weight, LEAST_WEIGHT))
        threshold = max(self.threshold - THRESHOLD_STEP, 0.0)
        return SafetyState(union=union, threshold=threshold, weight=weight)


def _first(config: SafetyConfig) -> SafetyState:
    return SafetyState(threshold=config.threshold, weight=config.intersection_weight)


class SafetyComposite(Acceptor):
    """Emits the best token of a composite of model and safe expert (SSD, arXiv 2508.17739).

    The drafter is the expert: its tree has its own most likely tokens, and its distributions at
    temperature 1 as predictions, also after the last drafted token. The law is that of the
    composite, on purpose; the sampling parameters are ignored. Where the expert declines or fails
    the model alone decides.

    Raises
    ------
    TercelError
        By :meth:`accept`, if a draft comes without predictions: its drafter is no expert.
    """

    lossless = False
    needs = PassNeeds(logits=True)
    needs_predictions = True

    def __init__(self, config: SafetyConfig = SafetyConfig()):
        self._config = config
        self.first_state = _first(config)

    def accept(self, verdict: Verdict) -> Outcome:
        state = verdict.state
        assert isinstance(state, SafetyState)
        if len(verdict.tree) and ROOT not in verdict.tree.predictions:
            raise TercelError(
                "the acceptor 'safety' chooses between the model and an expert, but the drafter "
                "is none; take `--spec expert --draft-model MODEL`"
            )
        node: int | None = ROOT
        path, tokens, states = [], [], []
        while node is not None:
            expert = verdict.tree.predictions.get(node)
            if expert is None:
                token = verdict.draw(node)
            else:
                token = self._choose(verdict.result.logits[verdict.pass_node(node)], expert, state)
                proposed = int(expert.ids[np.argmax(expert.probabilities)])
                state = state.judge(token == proposed, self._config)
            tokens.append(token)
            states.append(state)
            node = verdict.tree.child(node, token)
            if node is not None:
                path.append(node)
        return Outcome(path=tuple(path), tokens=tuple(tokens), states=tuple(states))

    def _choose(
        self, logits: npt.NDArray[np.float32], expert: Distribution, state: SafetyState
    ) -> int:
        """The token of the highest composite score in the mode's set."""
        model = np.exp(logits.astype(np.float64) - logits.max())
        model /= model.sum()
        safe = np.zeros(len(model))
        safe[expert.ids] = expert.probabilities
        best = np.argsort(-model, kind="stable")
        safest = np.argsort(-safe, kind="stable")[: len(expert.ids)]
        wanted = self._config.overlap
        if state.union:
            weight = self._config.union_weight
            candidates = np.union1d(best[:wanted], safest[:wanted])
        else:
            weight = state.weight
            count = _shared_length(best, safest, wanted)
            candidates = np.intersect1d(best[:count], safest[:count])
            if best[0] not in candidates:
                return int(best[0])
        scores = model[candidates] + weight * (safe[candidates] - model[candidates])
        return int(candidates[np.argmax(scores)])


def _shared_length(best: npt.NDArray[np.intp], other: npt.NDArray[np.intp], wanted: int) -> int:
    """Least k for which the first k of both lists share so many tokens; at most all."""
    ranks = np.full(len(best), len(best))
    ranks[other] = np.arange(len(other))
    later = np.sort(np.maximum(ranks[best], np.arange(len(best))))
    return int(later[min(wanted, len(other)) - 1]) + 1
