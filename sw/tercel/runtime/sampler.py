"""From a pass's answer to the next token."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.device.interface import Ask, Limits, PassResult
from tercel.errors import TercelError
from tercel.runtime.noise import SEED_LIMIT, gumbel

__all__ = ["Sampler", "SamplingConfig", "surviving"]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How a token is drawn: temperature, then top-k, then top-p, then min-p, then the draw.

    Each filter sees what the one before left, with its probabilities summing to one again.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    temperature: float = 0.0
    """Logits are divided by it; 0 is greedy: the best token, whatever the filters."""
    top_k: int = 0
    """Keep the so many best tokens; 0 is all."""
    top_p: float = 1.0
    """Keep the fewest best tokens whose probabilities sum to at least this; 1 is all."""
    min_p: float = 0.0
    """Keep tokens with at least this part of the best one's probability; 0 is all."""
    seed: int = 0
    """With the position, all that the noise depends on."""

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
    """Asks a device for no more than the draw needs.

    Greedy decoding needs the argmax, a top-k within the device's own needs its top-k; everything
    else needs the logits. The token is the same whichever way was taken, but for equal logits at
    the border of a top-k, which the device orders by their unrounded values.
    """

    def __init__(self, config: SamplingConfig, *, limits: Limits, vocab_size: int):
        self._config = config
        self._top_k = min(config.top_k, vocab_size)
        self._device_sorts = 0 < self._top_k <= limits.top_k

    def ask(self, nodes: Sequence[int]) -> Ask:
        """What a pass must answer so that the successors of ``nodes`` can be drawn."""
        if self._config.greedy:
            return Ask(argmax=True)
        if self._device_sorts:
            return Ask(argmax=False, top_k=self._top_k)
        return Ask(argmax=False, logits=tuple(nodes))

    def choose(self, result: PassResult, *, node: int, position: int) -> int:
        """The token that follows ``node``, which is at ``position``."""
        if self._config.greedy:
            assert result.argmax is not None
            return int(result.argmax[node])
        if self._device_sorts:
            assert result.top_ids is not None
            assert result.top_logits is not None
            ids, logits = result.top_ids[node], result.top_logits[node]
        else:
            ids, logits = _best_first(result.logits[node], self._top_k)
        scores = surviving(logits, self._config)
        noise = gumbel(self._config.seed, position, ids[: len(scores)])
        return int(ids[np.argmax(scores + noise)])


def _best_first(
    logits: npt.NDArray[np.float32], top_k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Ids and logits of the ``top_k`` (0: all) best, best first, ties to the lower id."""
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
        Of the tokens that passed top-k, best first.

    Returns
    -------
    Of the first tokens of ``logits``, one or more: both filters cut from the end.
    """
    best = float(logits[0])
    with np.errstate(over="ignore", invalid="ignore"):
        scores = (logits.astype(np.float64) - best) / config.temperature
    # Infinite logits that are equal, too, have the same probability.
    scores[logits == best] = 0
    weights = np.exp(scores)
    kept = len(scores)
    if config.top_p < 1:
        sums = np.cumsum(weights)
        kept = min(kept, int(np.searchsorted(sums, config.top_p * sums[-1])) + 1)
    if config.min_p > 0:
        kept = min(kept, int(np.count_nonzero(weights >= config.min_p)))
    return scores[:kept]
