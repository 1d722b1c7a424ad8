"""Facts about a node's filters that follow from the device's top-k."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tercel.sampling.config import SamplingConfig
from tercel.sampling.filters import Float32, Float64, Ids, scaled

__all__ = ["SUM_ERROR", "TopEvidence", "top_in_order"]

SUM_ERROR = 1e-9
"""Bound of the relative rounding error of a sum of up to 2^20 weights, in any order, and of a
weight."""
LOGSUMEXP_ERROR = 1e-3
"""Bound of the relative error of the device's sum of exponentials: half a step of 2^-9 octaves,
16-bit significands, float32 logits."""
WINDOW_LOSS = 2.0**-28
"""Largest part of the sum that a row below the device's window loses."""
LOGSUMEXP_LIMIT = 150.0
"""Largest magnitude of the highest logit at which no logit of weight saturates."""

Bools = npt.NDArray[np.bool_]


def top_in_order(ids: npt.NDArray[np.int32], logits: Float32) -> tuple[Ids, Float32]:
    """A device's top-k with ties by lower id; the device orders them by unscaled logits."""
    order = np.lexsort((ids, -logits))
    return ids[order].astype(np.int64), logits[order]


@dataclass(frozen=True, kw_only=True)
class TopEvidence:
    """The tokens above the lowest logit of a top-k, which are the first of all in order.

    The others, *unseen*, have at most that logit, the border; some of a tie at the border may have
    been left out of the top-k.
    """

    config: SamplingConfig
    ids: Ids
    """``[m]`` highest first, ties by lower id."""
    logits: Float32
    border: np.float32
    """Finite; so is the highest logit, and it is higher."""
    at_border: int
    """Tokens of the top-k at the border."""
    rows: int
    """Tokens of the vocabulary."""
    logsumexp: float
    """The device's, over the whole vocabulary."""

    @cached_property
    def scores(self) -> Float64:
        return scaled(self.logits, float(self.logits[0]), self.config.temperature)

    @cached_property
    def border_score(self) -> float:
        """Highest score of an unseen token."""
        border = np.array([self.border])
        return float(scaled(border, float(self.logits[0]), self.config.temperature)[0])

    @cached_property
    def weights(self) -> Float64:
        return np.exp(self.scores)

    @cached_property
    def total(self) -> tuple[float, float]:
        """Bounds of the sum of all tokens' weights."""
        best, temperature = float(self.logits[0]), self.config.temperature
        highest, below = float(self.border) - best, self.rows - len(self.ids) - self.at_border
        known = float(self.weights.sum()) + self.at_border * float(np.exp(self.border_score))
        low, high = 0.0, below * float(np.exp(self.border_score))
        if below and abs(best) < LOGSUMEXP_LIMIT:
            with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
                error = LOGSUMEXP_ERROR + self.rows * WINDOW_LOSS
                top = np.exp(self.logits.astype(np.float64) - best).sum()
                top += self.at_border * np.exp(highest)
                whole = np.exp(self.logsumexp - best)
                inverse = 1 / np.float64(temperature)
                # The sum of the unseen at temperature 1, then at this one: as the unseen lie below
                # the border, and as the mean of powers and the power of the mean compare.
                rest = np.maximum(whole * np.array([1 - error, 1 + error]) - top, 0)
                by_border = rest * np.exp(highest * (inverse - 1))
                by_mean = below * (rest / below) ** inverse
            if temperature <= 1:
                low, high = by_mean[0], min(high, by_border[1])
            else:
                low, high = by_border[0], min(high, by_mean[1])
            low = min(low, high)
        return float(known + low) * (1 - SUM_ERROR), float(known + high) * (1 + SUM_ERROR)

    @cached_property
    def kept(self) -> Bools:
        """``[m]``: the token certainly passes the filters."""
        kept = np.ones(len(self.ids), bool)
        if self.config.top_p < 1:
            kept &= self._before < self.config.top_p * self.total[0] * (1 - SUM_ERROR)
        if self.config.min_p > 0:
            kept &= self.weights > self.config.min_p * (1 + SUM_ERROR)
        kept[0] = True
        return kept

    @cached_property
    def cut(self) -> Bools:
        """``[m]``: the token certainly does not pass the filters."""
        cut = np.zeros(len(self.ids), bool)
        if self.config.top_p < 1:
            cut |= self._before > self.config.top_p * self.total[1] * (1 + SUM_ERROR)
        if self.config.min_p > 0:
            cut |= self.weights < self.config.min_p * (1 - SUM_ERROR)
        cut[0] = False
        return cut

    @cached_property
    def cuts_unseen(self) -> bool:
        """True if certainly no unseen token passes the filters."""
        before = float(self._before[-1] + self.weights[-1])
        return (
            self.config.top_p < 1 and before > self.config.top_p * self.total[1] * (1 + SUM_ERROR)
        ) or (
            self.config.min_p > 0
            and float(np.exp(self.border_score)) < self.config.min_p * (1 - SUM_ERROR)
        )

    @cached_property
    def _before(self) -> Float64:
        """``[m]`` sums of the weights before a token."""
        return np.concatenate([[0.0], np.cumsum(self.weights)[:-1]])
