"""Two int8 products with a common factor in one multiplication.

``((high << 18) + low) * factor == (high * factor << 18) + low * factor``: one DSP48E2 of 27 by 18
bits holds two int8 * int8 products, and the sum of up to eight such words still splits, because
``8 * 127^2 < 2^17``. Every element must lie within +-127.
"""

from amaranth.hdl import Value

__all__ = ["PACKED_TERMS", "PACK_SHIFT", "pack", "split"]

PACK_SHIFT = 18
PACKED_TERMS = 8
"""Packed products that may be added before they are split."""


def pack(high: Value, low: Value) -> Value:
    """Two signed factors as one, 27 bits for int8."""
    return (high << PACK_SHIFT) + low


def split(total: Value) -> tuple[Value, Value]:
    """The high and the low sum of up to ``PACKED_TERMS`` packed products."""
    low = total[:PACK_SHIFT].as_signed()
    # A negative low part borrowed one from the high part.
    return total[PACK_SHIFT:].as_signed() + total[PACK_SHIFT - 1], low
