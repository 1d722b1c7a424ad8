"""Counts and times of a generation."""

from dataclasses import dataclass, field
from typing import Any

from tercel.device import Counters
from tercel.speculation import SpeculationStatistics

__all__ = ["GenerationStatistics"]


@dataclass(frozen=True, kw_only=True)
class GenerationStatistics:
    """Counts and times of one generation, without the caller's own time between tokens.

    The pass that reads the end of the prompt gives the first token and counts as prefill; the
    passes of all later tokens count as decode.
    """

    prompt_tokens: int = 0
    """Tokens of the prompt."""
    prefilled_tokens: int = 0
    """Tokens read before the first generated one: the prompt and the unread tokens of an earlier
    turn."""
    generated_tokens: int = 0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    first_token_seconds: float | None = None
    """Time to first token; ``None`` if no token was generated."""
    prefill: Counters = field(default_factory=Counters)
    decode: Counters = field(default_factory=Counters)
    speculation: SpeculationStatistics = field(default_factory=SpeculationStatistics)
    """Counts and times of the decode's rounds."""

    @property
    def decoded_tokens(self) -> int:
        """Generated tokens after the first."""
        return max(self.generated_tokens - 1, 0)

    @property
    def prefill_tokens_per_second(self) -> float | None:
        return _ratio(self.prefilled_tokens, self.prefill_seconds)

    @property
    def tokens_per_second(self) -> float | None:
        """Decoded tokens divided by the decode time."""
        return _ratio(self.decoded_tokens, self.decode_seconds)

    @property
    def tape_bytes_per_token(self) -> float | None:
        """Bytes of the tape read per decoded token."""
        return _ratio(self.decode.tape_bytes_read, self.decoded_tokens)

    @property
    def kv_bytes_per_token(self) -> float | None:
        """Bytes of the KV cache read per decoded token."""
        return _ratio(self.decode.kv_bytes_read, self.decoded_tokens)

    @property
    def bytes_per_token(self) -> float | None:
        """Bytes of tape and KV cache read from memory per decoded token."""
        return _ratio(self.decode.bytes_read, self.decoded_tokens)

    def to_dict(self) -> dict[str, Any]:
        """Every count, time and ratio by name, for JSON."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "prefilled_tokens": self.prefilled_tokens,
            "generated_tokens": self.generated_tokens,
            "prefill_seconds": self.prefill_seconds,
            "decode_seconds": self.decode_seconds,
            "first_token_seconds": self.first_token_seconds,
            "prefill_tokens_per_second": self.prefill_tokens_per_second,
            "tokens_per_second": self.tokens_per_second,
            "decode_passes": self.decode.passes,
            "tape_bytes_per_token": self.tape_bytes_per_token,
            "kv_bytes_per_token": self.kv_bytes_per_token,
            "bytes_per_token": self.bytes_per_token,
            "speculation": self.speculation.to_dict(),
        }


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None
