"""Parameters of sampling."""

from dataclasses import dataclass

from tercel.errors import TercelError
from tercel.image import SamplingFilters
from tercel.sampling.noise import SEED_LIMIT

__all__ = ["SamplingConfig"]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(SamplingFilters):
    """Parameters of a draw: temperature, filters, and the seed of its noise.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    seed: int = 0
    """Seed of the noise, in ``0..2^64-1``; equal seeds give equal text."""

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.seed < SEED_LIMIT:
            raise TercelError(f"seed must be in 0..2^64-1, not {self.seed!r}")
