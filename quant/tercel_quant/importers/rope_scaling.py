"""Scaled RoPE as divisors of the frequencies: types linear and llama3 of Hugging Face."""

from typing import Any

from tercel.errors import TercelError
from tercel_export.huggingface.rope import llama3_factors

__all__ = ["rope_factors"]

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
