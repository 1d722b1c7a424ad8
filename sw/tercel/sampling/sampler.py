"""Sampling of the next token from the result of a pass."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.device import Ask, Limits, PassResult
from tercel.errors import TercelError
from tercel.sampling.distribution import Distribution
from tercel.sampling.noise import SEED_LIMIT, gumbel

__all__ = ["Sampler", "SamplingConfig", "surviving"]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Parameters of a draw; applied in the order temperature, top-k, top-p, min-p, draw.

    Each filter works on the tokens that the one before left, renormalised to a sum of one.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    temperature: float = 0.0
    """Divisor of the logits; 0 is greedy decoding, which ignores the filters."""
    top_k: int = 0
    """Keep the ``top_k`` most probable tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest most probable tokens whose probabilities sum to at least this; 1 keeps
    all."""
    min_p: float = 0.0
    """Keep tokens of at least this fraction of the highest probability; 0 keeps all."""
    seed: int = 0
    """Seed of the noise, in ``0..2^64-1``; equal seeds give equal text."""

    def __post_init__(self):
        if not 0 <= self.temperature < math.inf:
            raise TercelError(f"temperature must be 0 or more, not {self.temperature!r}")
        if self.top_k < 0:
            raise TercelError(f"top_k must be 0 (all) or more, not {self.top_k!r}")
        if not 0 < self.top_p <= 1:
            raise TercelError(f"top_p must be above 0 and at most 1, not {self.top_p!r}")
        if not 0 <= self.min_p <= 1:
            raise TercelError(f"min_p must be in 0..1, not {self.min_p!r}")
        if not 0 <= self.seed < SEED_LIMIT:
            raise TercelError(f"seed must be in 0..2^64-1, not {self.seed!r}")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 or self.top_k == 1


class Sampler:
    """Draws tokens, asking the device for the smallest result that the draw needs.

    Greedy decoding needs the argmax, a top-k that the device supports needs its top-k, anything
    else needs the logits. All three give the same token, except where logits are equal at the
    border of a top-k: the device orders those by their unscaled logits. A result may have more
    than was asked for, such as a larger top-k.
    """

    def __init__(self, config: SamplingConfig, *, limits: Limits, vocab_size: int):
        self._config = config
        self._top_k = min(config.top_k, vocab_size)
        self._device_sorts = 0 < self._top_k <= limits.top_k

    @property
    def config(self) -> SamplingConfig:
        return self._config

    def ask(self, nodes: Sequence[int]) -> Ask:
        """The results that a pass must give to draw the successors of ``nodes``."""
        if self._config.greedy:
            return Ask(argmax=True)
        if self._device_sorts:
            return Ask(argmax=False, top_k=self._top_k)
        return Ask(argmax=False, logits=tuple(nodes))

    def choose(self, result: PassResult, *, node: int, position: int) -> int:
        """Draw the token that follows ``node``, which is at ``position``."""
        if self._config.greedy:
            assert result.argmax is not None
            return int(result.argmax[node])
        ids, scores = self._candidates(result, node)
        return int(ids[np.argmax(scores + gumbel(self._config.seed, position, ids))])

    def distribution(self, result: PassResult, *, node: int) -> Distribution:
        """The distribution that :meth:`choose` draws from: highest probability first."""
        if self._config.greedy:
            assert result.argmax is not None
            return Distribution(
                ids=result.argmax[node : node + 1].astype(np.int64), probabilities=np.ones(1)
            )
        ids, scores = self._candidates(result, node)
        weights = np.exp(scores)
        kept = int(np.count_nonzero(weights))
        weights = weights[:kept]
        return Distribution(ids=ids[:kept].astype(np.int64), probabilities=weights / weights.sum())

    def _candidates(
        self, result: PassResult, node: int
    ) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
        """Ids that survive the filters, best first, and their log-probabilities up to a
        constant."""
        if self._device_sorts:
            assert result.top_ids is not None
            assert result.top_logits is not None
            ids = result.top_ids[node, : self._top_k]
            logits = result.top_logits[node, : self._top_k]
        else:
            ids, logits = _best_first(result.logits[node], self._top_k)
        scores = surviving(logits, self._config)
        return ids[: len(scores)], scores


def _best_first(
    logits: npt.NDArray[np.float32], top_k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Ids and logits of the ``top_k`` (0: all) highest logits, highest first, ties by lower id."""
    candidates = np.arange(len(logits))
    if 0 < top_k < len(logits):
        border = np.partition(logits, len(logits) - top_k)[len(logits) - top_k]
        candidates = np.flatnonzero(logits >= border)
    ids = candidates[np.argsort(-logits[candidates], kind="stable")]
    ids = ids[:top_k] if top_k else ids
    return ids, logits[ids]


def surviving(logits: npt.NDArray[np.float32], config: SamplingConfig) -> npt.NDArray[np.float64]:
    """Log-probabilities, up to a constant, of the tokens that pass top-p and min-p.

    Parameters
    ----------
    logits
        ``[n]`` logits of the tokens that passed top-k, highest first.

    Returns
    -------
    float64 ``[m]``, ``1 <= m <= n``, for the first m tokens: both filters cut from the end.
    """
    best = float(logits[0])
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (logits.astype(np.float64) - best) / config.temperature
    # Equal logits have equal probability, even if infinite (inf - inf is NaN).
    scores[logits == best] = 0
    weights = np.exp(scores)
    kept = len(scores)
    if config.top_p < 1:
        sums = np.cumsum(weights)
        kept = min(kept, int(np.searchsorted(sums, config.top_p * sums[-1])) + 1)
    if config.min_p > 0:
        kept = min(kept, int(np.count_nonzero(weights >= config.min_p)))
    return scores[:kept]
