"""Scaled RoPE as divisors of the frequencies: types linear and llama3 of Hugging Face."""

import math
from typing import Any

from tercel.errors import TercelError

__all__ = ["llama3_factors", "rope_factors"]

LLAMA3 = ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


def rope_factors(field: str, rope: dict[str, Any], *, base: float, size: int) -> tuple[float, ...]:
    """Divisors of the ``size / 2`` frequencies; empty if nothing is scaled.

    Parameters
    ----------
    field : str
        Name of the object, for messages.
    rope : dict
        The checked fields of ``rope_scaling`` or ``rope_parameters``.
    base : float
    size : int
        Elements of a head.

    Raises
    ------
    TercelError
        If the type of scaling is another, or one of its parameters is missing or out of order.
    """
    kind, factor = rope.get("rope_type") or rope.get("type") or "default", rope.get("factor")
    if kind == "default":
        return ()
    if kind not in ("linear", "llama3"):
        scaled = "" if factor is None else f" with the factor {factor:g}"
        raise TercelError(
            f"{field} asks for the RoPE scaling type {kind!r}{scaled}, "
            "but only linear and llama3 are supported"
        )
    if missing := [
        name for name in ("factor", *(LLAMA3 if kind == "llama3" else ())) if rope.get(name) is None
    ]:
        raise TercelError(f"{field}.{missing[0]} is missing, which the type {kind!r} needs")
    if kind == "linear":
        factors = (rope["factor"],) * (size // 2)
    else:
        low, high, original = (rope[name] for name in LLAMA3)
        if not low < high:
            raise TercelError(
                f"{field}.high_freq_factor must be above low_freq_factor {low:g}, not {high:g}"
            )
        factors = llama3_factors(
            factor=rope["factor"], low=low, high=high, original=original, base=base, size=size
        )
    return () if all(each == 1 for each in factors) else factors


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
