"""Parameters of sampling."""

import math
from dataclasses import dataclass

from tercel.errors import TercelError
from tercel.sampling.noise import SEED_LIMIT

__all__ = ["SamplingConfig"]


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
