"""Acceptance above a threshold of probability."""

from dataclasses import dataclass

from tercel.device import option
from tercel.errors import TercelError
from tercel.speculation.acceptor import StepwiseAcceptor, Verdict

__all__ = ["Threshold", "ThresholdConfig"]


@dataclass(frozen=True, kw_only=True)
class ThresholdConfig:
    """The least probability of an accepted token.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    probability: float = option(0.1, "least probability")
    ratio: float = option(0.0, "least fraction of the likeliest token's probability")

    def __post_init__(self):
        for name in ("probability", "ratio"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise TercelError(f"{name} must be in 0..1, not {value!r}")


class Threshold(StepwiseAcceptor):
    """Accepts the likeliest child that is likely enough, else draws (XSpecMesh, arXiv 2507.23777).

    The paper gives no thresholds; a child must meet both of the configuration.
    """

    lossless = False

    def __init__(self, config: ThresholdConfig = ThresholdConfig()):
        self._config = config

    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        tree = verdict.tree
        children = tree.children(node)
        if children:
            p = verdict.distribution(node)
            least = max(self._config.probability, self._config.ratio * p.probabilities.max())
            chances = {child: p.probability(tree.tokens[child]) for child in children}
            best = max(children, key=lambda child: chances[child])
            if chances[best] > 0 and chances[best] >= least:
                return best, tree.tokens[best]
        return None, verdict.draw(node)
