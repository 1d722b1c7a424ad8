"""A probability distribution over some tokens of the vocabulary."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Distribution"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution:
    """Probabilities of the tokens that have any; all others have none."""

    ids: npt.NDArray[np.int64]
    """``[m]`` token ids, each once."""
    probabilities: npt.NDArray[np.float64]
    """``[m]``, above 0, with a sum of 1 up to rounding."""

    def probability(self, token: int) -> float:
        """Probability of a token, 0 if it is not among :attr:`ids`."""
        found = np.flatnonzero(self.ids == token)
        return float(self.probabilities[found[0]]) if len(found) else 0.0
