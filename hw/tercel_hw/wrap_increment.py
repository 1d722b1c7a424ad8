"""Places of a memory that are used in turn."""

from amaranth.hdl import Mux, Value

__all__ = ["wrap_increment"]


def wrap_increment(place: Value, places: int) -> Value:
    """The place after this one of so many; after the last comes 0."""
    return Mux(place == places - 1, 0, place + 1)
