"""Rows of floats as streams."""

from amaranth.lib import data, stream

from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["ELEMENTS", "check_elements", "row_signature"]

ELEMENTS = (1, 2, 4, 8, 16)
"""Elements a beat may have."""


def check_elements(elements: int) -> None:
    """Raise unless a beat may have so many.

    Raises
    ------
    TypeError
        If ``elements`` is no integer.
    ValueError
        If it is none of ``ELEMENTS``.
    """
    if not isinstance(elements, int):
        raise TypeError(f"elements must be an integer, not {elements!r}")
    if elements not in ELEMENTS:
        raise ValueError(f"elements must be one of {ELEMENTS}, not {elements}")


def row_signature(elements: int) -> stream.Signature:
    """Beats of ``elements`` floats; ``last`` marks a row's end."""
    x = data.ArrayLayout(FLOAT32_BITS, elements)
    return stream.Signature(data.StructLayout({"x": x, "last": 1}))
