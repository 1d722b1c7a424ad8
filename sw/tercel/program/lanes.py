"""Assignment of an accelerator's lanes to the query heads of a KV head."""

from dataclasses import dataclass

__all__ = ["LanePlan", "lanes_per_head_choices"]


def lanes_per_head_choices(lanes: int) -> tuple[int, ...]:
    """Possible numbers of lanes per head: the powers of two below ``lanes``, and ``lanes``."""
    powers = [1 << bit for bit in range(lanes.bit_length()) if 1 << bit < lanes]
    return (*powers, lanes)


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """The assignment of lanes: node n in head slot s has lane ``s * lanes_per_head + n``.

    A KV sweep serves as many of the KV head's query heads as fit in the lanes, each in a *head
    slot*; further sweeps serve the others.
    """

    lanes: int
    nodes: int
    heads: int
    """Query heads per KV head."""

    @property
    def lanes_per_head(self) -> int:
        """Lanes per query head: the smallest choice that holds all nodes."""
        return next(
            lanes_per_head
            for lanes_per_head in lanes_per_head_choices(self.lanes)
            if lanes_per_head >= self.nodes
        )

    @property
    def head_slots(self) -> int:
        """Most query heads in a sweep."""
        return min(self.heads, self.lanes // self.lanes_per_head)

    @property
    def sweeps(self) -> int:
        """Number of sweeps per KV head."""
        return -(-self.heads // self.head_slots)
