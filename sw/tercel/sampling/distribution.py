"""A probability distribution over some tokens of the vocabulary."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Distribution"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """Probabilities of the tokens that have any; all others have none.

    The arithmetic is that of the array's elements, so a distribution of fractions is exact.
    """

    ids: npt.NDArray[np.int64]
    """``[m]`` token ids, each once."""
    probabilities: npt.NDArray[np.float64]
    """``[m]``, above 0, with a sum of 1 up to rounding."""

    @classmethod
    def certain(cls, token: int) -> "Distribution":
        """The distribution of one token."""
        return cls(ids=np.array([token], np.int64), probabilities=np.ones(1))

    def probability(self, token: int) -> float:
        """Probability of a token, 0 if it is not among :attr:`ids`."""
        found = self.probabilities[self.ids == token]
        return found.item() if len(found) else 0.0

    def draw(self, uniform: float) -> int:
        """The token at a quantile in 0..1, 1 excluded, in the order of :attr:`ids`."""
        sums = np.cumsum(self.probabilities)
        return int(self.ids[np.argmax(sums / sums[-1] > uniform)])

    def without(self, token: int) -> "Distribution | None":
        """The distribution of the other tokens, renormalised; ``None`` if there are none."""
        return self._normalised(np.where(self.ids == token, 0, self.probabilities))

    def above(self, threshold: float) -> "Distribution | None":
        """The distribution of the tokens above a probability, renormalised; ``None`` if none is."""
        return self._normalised(np.where(self.probabilities > threshold, self.probabilities, 0))

    def excess(self, other: "Distribution", scale: float = 1) -> npt.NDArray[np.float64]:
        """``[m]`` ``max(scale p - q, 0)`` of each token of :attr:`ids`, for ``other``'s ``q``."""
        size = max(self.ids.max(), other.ids.max()) + 1
        dense = np.zeros(size, other.probabilities.dtype)
        dense[other.ids] = other.probabilities
        q = dense[self.ids]
        return np.maximum(scale * self.probabilities - q, 0)

    def residual(self, other: "Distribution", scale: float = 1) -> "Distribution | None":
        """:meth:`excess`, renormalised; ``None`` if it is 0 everywhere."""
        return self._normalised(self.excess(other, scale))

    def _normalised(self, weights: npt.NDArray[np.float64]) -> "Distribution | None":
        kept = weights > 0
        if not kept.any():
            return None
        weights = weights[kept]
        return Distribution(ids=self.ids[kept], probabilities=weights / weights.sum())
