"""The law of a draw: the definition of the filters, on logits in order."""

import numpy as np
import numpy.typing as npt

from tercel.sampling.config import SamplingConfig
from tercel.sampling.distribution import Distribution
from tercel.sampling.noise import gumbel

__all__ = ["best_first", "draw", "normalised", "scaled", "surviving"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def best_first(logits: Float32, top_k: int) -> tuple[Ids, Float32]:
    """Ids and logits of the ``top_k`` (0: all) highest logits, highest first, ties by lower id."""
    candidates = np.arange(len(logits))
    if 0 < top_k < len(logits):
        border = np.partition(logits, len(logits) - top_k)[len(logits) - top_k]
        candidates = np.flatnonzero(logits >= border)
    ids = candidates[np.argsort(-logits[candidates], kind="stable")]
    ids = ids[:top_k] if top_k else ids
    return ids, logits[ids]


def scaled(logits: Float32, best: float, temperature: float) -> Float64:
    """Log-probabilities of tokens relative to that of the highest logit, ``best``."""
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (logits.astype(np.float64) - best) / temperature
    # Equal logits have equal probability, even if infinite (inf - inf is NaN).
    scores[logits == best] = 0
    return scores


def surviving(logits: Float32, config: SamplingConfig) -> Float64:
    """Log-probabilities, up to a constant, of the tokens that pass top-p and min-p.

    Parameters
    ----------
    logits
        ``[n]`` logits of the tokens that passed top-k, highest first.

    Returns
    -------
    float64 ``[m]``, ``1 <= m <= n``, for the first m tokens: both filters cut from the end.
    """
    scores = scaled(logits, float(logits[0]), config.temperature)
    kept = len(scores)
    if config.top_p < 1 or config.min_p > 0:
        weights = np.exp(scores)
        if config.top_p < 1:
            sums = np.cumsum(weights)
            kept = min(kept, int(np.searchsorted(sums, config.top_p * sums[-1])) + 1)
        if config.min_p > 0:
            kept = min(kept, int(np.count_nonzero(weights >= config.min_p)))
    return scores[:kept]


def draw(ids: Ids, logits: Float32, config: SamplingConfig, position: int) -> int:
    """Draw from the tokens that passed top-k, highest first."""
    scores = surviving(logits, config)
    noise = gumbel(config.seed, position, ids[: len(scores)])
    return int(ids[np.argmax(scores + noise)])


def normalised(ids: npt.NDArray[np.integer], scores: Float64) -> Distribution:
    """The distribution of the first tokens of ``ids``, with these log-probabilities.

    Tokens whose probability rounds to zero are not in it.
    """
    weights = np.exp(scores)
    weights = weights[: np.count_nonzero(weights)]
    return Distribution(
        ids=ids[: len(weights)].astype(np.int64), probabilities=weights / weights.sum()
    )
