"""A drafter's head on the frequent part of a vocabulary, and its guesses with shared noise."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError
from tercel.sampling import SamplingConfig, gumbel
from tercel.sampling.sampler import surviving
from tercel.speculation.drafters.int8_matrix import read_array, read_matrix

__all__ = ["TrimmedHead"]


class TrimmedHead:
    """Logits of the tokens that may follow a token, and the probability that each is drawn.

    The head has rows for the most frequent tokens alone (VocabTrim, arXiv 2506.22694), and of those
    it reads the rows of the tokens that follow a given one most often.

    Parameters
    ----------
    tensors
        Arrays of a drafter's file: ``ids`` ``[rows]``, the tokens of the head's rows; ``head``
        ``[rows, width]`` in int8; ``candidates`` ``[vocabulary, n]``, the rows of the tokens that
        follow each token most often; ``spread`` ``[2, levels]``, the scale of the error of a logit
        in nats, at temperature 0 and above, at each depth; ``coverage`` ``[2, levels]``, the
        probability that the drawn token is among the candidates.

    Raises
    ------
    TercelError
        If an array is missing, or they do not fit together.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray]):
        ids, candidates = read_array(tensors, "ids"), read_array(tensors, "candidates")
        spread, coverage = read_array(tensors, "spread"), read_array(tensors, "coverage")
        self._weight = read_matrix(tensors, "head")
        if (
            candidates.ndim != 2
            or not candidates.size
            or len(self._weight) != len(ids)
            or int(candidates.max()) >= len(ids)
            or spread.shape != coverage.shape
            or spread.shape[:1] != (2,)
            or not spread.size
            or not spread.min() > 0
        ):
            raise TercelError("the arrays of a trained head do not fit together")
        self._sharpness, self._coverage = (1 / spread).tolist(), coverage.tolist()
        self._rows = candidates.astype(np.intp)
        self._ids = ids.astype(np.int64)[candidates]

    @property
    def levels(self) -> int:
        """Depths that the head was trained for."""
        return len(self._coverage[0])

    def logits(
        self, state: npt.NDArray[np.float32], token: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Tokens ``[n]`` that may follow a token in a state ``[width]``, and their logits."""
        return self._ids[token], self._weight.take(self._rows[token], 0) @ state

    def guess(
        self,
        state: npt.NDArray[np.float32],
        token: int,
        sampling: SamplingConfig,
        *,
        position: int,
        depth: int,
        most: int,
    ) -> list[tuple[int, float]]:
        """The likeliest draws after a node, best first, with their probabilities.

        The draw is the argmax of ``log p + T g`` with the noise ``g`` of the position. If ``log q``
        differs from ``log p`` by errors of the shape of Gumbel noise of scale ``spread``, the
        argmax is distributed as the softmax of ``(log q + T g) / spread``.

        Parameters
        ----------
        state
            ``[width]``.
        token
            Token of the node.
        sampling
        position
            Position of the node.
        depth
            Depth of the node, 0 for the root, below :attr:`levels`.
        most
            Most draws.
        """
        ids, scores = self.logits(state, token)
        drawn = 0 if sampling.greedy else 1
        sharpness = self._sharpness[drawn][depth]
        if drawn:
            if sampling.top_k or sampling.top_p < 1 or sampling.min_p > 0:
                _filter(scores, sampling)
            noise = gumbel(sampling.seed, position, ids)
            noise *= sampling.temperature
            scores += noise  # stays float32, which sorts faster
        # Sorting all of these few takes less time than finding the best first.
        best = scores.argsort()[: -most - 1 : -1]
        scores -= scores[best[0]]
        scores *= sharpness
        np.exp(scores, out=scores)
        share = self._coverage[drawn][depth] / float(scores.sum())
        estimates = [share * weight for weight in scores[best].tolist()]
        return list(zip(ids[best].tolist(), estimates, strict=True))


def _filter(logits: npt.NDArray[np.float32], sampling: SamplingConfig) -> None:
    """Remove from logits ``[n]`` what the sampler's filters would remove."""
    falling = -np.sort(-logits)[: sampling.top_k or None]
    logits[logits < falling[len(surviving(falling, sampling)) - 1]] = -np.inf
