"""Facts about a node's filters that follow from all of its logits, without sorting them."""

import numpy as np

from tercel.sampling.config import SamplingConfig
from tercel.sampling.filters import Float32, scaled
from tercel.sampling.top_evidence import SUM_ERROR

__all__ = ["FullEvidence"]


class FullEvidence:
    """The filters top-p and min-p on all logits of a node, the highest of which is finite.

    Parameters
    ----------
    logits
        ``[rows]``.
    config
        The filters; top-k is not one of them.
    """

    def __init__(self, logits: Float32, config: SamplingConfig):
        self._logits = logits
        self._config = config
        self._weights = np.exp(scaled(logits, float(logits.max()), config.temperature))
        self._total = float(self._weights.sum())

    def passes(self, token: int) -> bool | None:
        """True if a token passes both filters; ``None`` if rounding decides."""
        logit, weight = self._logits[token], float(self._weights[token])
        ties = int(np.count_nonzero(self._logits[:token] == logit))
        before = float(self._weights[self._logits > logit].sum()) + ties * weight
        if before == 0:
            return True
        facts = []
        if self._config.top_p < 1:
            limit = self._config.top_p * self._total
            facts.append(_below(before, limit))
        if self._config.min_p > 0:
            facts.append(_below(self._config.min_p, weight))
        if False in facts:
            return False
        return None if None in facts else True


def _below(value: float, limit: float) -> bool | None:
    """True if ``value < limit``, ``None`` if they are as near as rounding errors."""
    if abs(value - limit) <= 2 * SUM_ERROR * limit:
        return None
    return value < limit
