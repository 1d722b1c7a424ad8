"""Layouts of rows of floats as streams."""

from amaranth.lib import data, stream

from tercel_hw.float32.primitive import FLOAT32_BITS

__all__ = ["ELEMENTS", "check_elements", "check_lanes", "lane_row_layout", "row_signature"]

ELEMENTS = (1, 2, 4, 8, 16)
"""Possible numbers of elements of a beat."""
MOST_LANES = 16
"""Most rows in lockstep: the leaves of an adder tree, whose adders the lanes share in turn."""


def check_elements(elements: int) -> None:
    """Refuse an impossible number of elements of a beat.

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
    """Return the signature of beats of ``elements`` floats; ``last`` marks a row's end."""
    x = data.ArrayLayout(FLOAT32_BITS, elements)
    return stream.Signature(data.StructLayout({"x": x, "last": 1}))


def check_lanes(lanes: int) -> None:
    """Refuse an impossible number of rows in lockstep.

    Raises
    ------
    ValueError
        If ``lanes`` is no integer in 1..16.
    """
    integer = isinstance(lanes, int) and not isinstance(lanes, bool)
    if not integer or not 1 <= lanes <= MOST_LANES:
        raise ValueError(f"lanes must be an integer in 1..{MOST_LANES}, not {lanes!r}")


def lane_row_layout(lanes: int) -> data.StructLayout:
    """Return the layout of an element of each lane's row; ``last`` marks the rows' end."""
    return data.StructLayout({"values": data.ArrayLayout(FLOAT32_BITS, lanes), "last": 1})
