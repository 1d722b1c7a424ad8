"""The time of a pass by its number of nodes, learned from the passes themselves."""

from collections.abc import Sequence

__all__ = ["CostCurve"]

WEIGHT = 0.25
"""Weight of a new time in the running mean."""


class CostCurve:
    """Running means of pass times, by number of nodes.

    A number that was never seen has the time of the next smaller one that was: passes do not get
    faster with more nodes, and a size that looks cheap is tried.

    Parameters
    ----------
    seconds
        Known times by number of nodes, from 1 node on; empty if none is known.
    """

    def __init__(self, seconds: Sequence[float] = ()):
        self._means = dict(enumerate(seconds, 1))

    def __bool__(self) -> bool:
        return bool(self._means)

    def observe(self, nodes: int, seconds: float) -> None:
        """Add the time of a pass."""
        mean = self._means.get(nodes)
        self._means[nodes] = seconds if mean is None else mean + WEIGHT * (seconds - mean)

    def seconds(self, nodes: int) -> float:
        """Expected time of a pass; 0 while nothing is known."""
        known = [size for size in self._means if size <= nodes]
        if known:
            return self._means[max(known)]
        return self._means[min(self._means)] if self._means else 0.0
