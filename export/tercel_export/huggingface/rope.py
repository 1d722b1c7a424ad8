"""Scaled RoPE in the words of Hugging Face's configs."""

import math
from typing import Any

from tercel.config import ModelConfig
from tercel.errors import TercelError

__all__ = ["llama3_factors", "rope_parameters"]

LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""The parameters of every published model of the type; the factor differs."""


def rope_parameters(config: ModelConfig) -> dict[str, Any]:
    """``rope_parameters`` whose frequencies are those of a config.

    Raises
    ------
    TercelError
        If the divisors of the frequencies are those of no type, as of padded heads.
    """
    factors, base = config.rope_factors, {"rope_theta": config.rope_base}
    if not factors:
        return base | {"rope_type": "default"}
    factor = max(factors)
    if all(each == factor for each in factors):
        return base | {"rope_type": "linear", "factor": factor}
    low, high, original = LLAMA3.values()
    expected = llama3_factors(
        factor=factor,
        low=low,
        high=high,
        original=int(original),
        base=config.rope_base,
        size=config.head_size,
    )
    if factors == expected:
        return base | {"rope_type": "llama3", "factor": factor, **LLAMA3}
    raise TercelError(
        f"Hugging Face's configs have no words for the scaled RoPE of {config.name}, which is "
        "neither linear nor that of Llama 3 (padded heads have such a one); export gguf or onnx"
    )


def llama3_factors(
    *, factor: float, low: float, high: float, original: int, base: float, size: int
) -> tuple[float, ...]:
    """Divisors of Llama 3.1's scaling.

    Frequencies with more than ``high`` turns in the ``original`` positions are kept, those with
    fewer than ``low`` are divided by ``factor``, and the frequency is interpolated between them.
    """
    factors = []
    for index in range(size // 2):
        turns = original * base ** (-2 * index / size) / (2 * math.pi)
        kept = min(1.0, max(0.0, (turns - low) / (high - low)))
        factors.append(1 / (kept + (1 - kept) / factor))
    return tuple(factors)
