"""Scaled RoPE as divisors of the frequencies: types of Hugging Face."""

from typing import Any

from tercel.errors import TercelError
from tercel_export.huggingface.rope import llama3_factors

__all__ = ["rope_factors"]

LLAMA3 = ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


def rope_factors(
    field: str, rope: dict[str, Any], *, base: float, size: int, context: int
) -> tuple[float, ...]:
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
    context : int
        Positions of the model.

    Raises
    ------
    TercelError
        If the type of scaling is another, or one of its parameters is missing or out of order, or
        the divisors depend on the length of the text.
    """
    kind, factor = rope.get("rope_type") or rope.get("type") or "default", rope.get("factor")
    if kind == "default":
        return ()
    if kind == "longrope":
        return _long(field, rope, size, context)
    if kind not in ("linear", "llama3"):
        scaled = "" if factor is None else f" with the factor {factor:g}"
        raise TercelError(
            f"{field} asks for the RoPE scaling type {kind!r}{scaled}, "
            "but only linear, llama3 and longrope are supported"
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


def _long(field: str, rope: dict[str, Any], size: int, context: int) -> tuple[float, ...]:
    """LongRoPE of a model that is not stretched: the short factors, which then serve every text.

    A stretched model changes the factors with the length of the text and scales its attention.
    """
    short, original = rope.get("short_factor"), rope.get("original_max_position_embeddings")
    if short is None or original is None:
        missing = "short_factor" if short is None else "original_max_position_embeddings"
        raise TercelError(f"{field}.{missing} is missing, which the type 'longrope' needs")
    if len(short) != size // 2:
        raise TercelError(f"{field}.short_factor must have {size // 2} numbers, not {len(short)}")
    if context > original or rope.get("attention_factor") not in (None, 1.0):
        raise TercelError(
            f"{field} stretches {original} positions to {context} with the type 'longrope', whose "
            "factors then depend on the length of the text, which is not supported; set "
            f"max_position_embeddings to {original} and delete attention_factor"
        )
    return tuple(short)
