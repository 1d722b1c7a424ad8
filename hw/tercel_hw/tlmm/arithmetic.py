"""Addition or subtraction by a sign."""

from amaranth.hdl import Mux, Value

__all__ = ["plus_or_minus"]


def plus_or_minus(minus: Value, a: Value, b: Value) -> Value:
    """Return ``a - b`` if ``minus``, else ``a + b``; one carry chain with ``minus`` as carry in."""
    return minus + a + Mux(minus, ~b, b)
