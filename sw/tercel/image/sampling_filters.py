"""Temperature and filters of a draw."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tercel.errors import TercelError
from tercel.json_dataclass import JsonDataclass

__all__ = ["SamplingFilters"]


@dataclass(frozen=True, kw_only=True)
class SamplingFilters(JsonDataclass):
    """Parameters of a draw that a model may recommend; applied in the order of the fields.

    Each filter works on the tokens that the one before left, renormalised to a sum of one.

    Raises
    ------
    TercelError
        If a field breaks its rule; the message quotes the field and its value.
    """

    WHAT: ClassVar[str] = "sampling"

    temperature: float = 0.0
    """Divisor of the logits; 0 is greedy decoding, which ignores the filters."""
    top_k: int = 0
    """Keep the ``top_k`` most probable tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest most probable tokens whose probabilities sum to at least this; 1 keeps
    all."""
    min_p: float = 0.0
    """Keep tokens of at least this fraction of the highest probability; 0 keeps all."""

    def __post_init__(self):
        for field in ("temperature", "top_k", "top_p", "min_p"):
            value, kind = getattr(self, field), int if field == "top_k" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise TercelError(f"{field} must be a number, not {value!r}")
        if not 0 <= self.temperature < math.inf:
            raise TercelError(f"temperature must be 0 or more, not {self.temperature!r}")
        if self.top_k < 0:
            raise TercelError(f"top_k must be 0 (all) or more, not {self.top_k!r}")
        if not 0 < self.top_p <= 1:
            raise TercelError(f"top_p must be above 0 and at most 1, not {self.top_p!r}")
        if not 0 <= self.min_p <= 1:
            raise TercelError(f"min_p must be in 0..1, not {self.min_p!r}")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 or self.top_k == 1
