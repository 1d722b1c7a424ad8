"""Increment of an index that wraps around, for the places of a circular buffer."""

from amaranth.hdl import Mux, Value

__all__ = ["wrap_increment"]


def wrap_increment(place: Value, places: int) -> Value:
    """Return ``(place + 1) % places``, for a ``place`` below ``places``."""
    return Mux(place == places - 1, 0, place + 1)
