"""How an accelerator's lanes are shared by the query heads of a KV head."""

from dataclasses import dataclass

__all__ = ["LanePlan", "lanes_per_head_choices"]


def lanes_per_head_choices(lanes: int) -> tuple[int, ...]:
    """Possible numbers of lanes of a query head: powers of two, and all of them."""
    powers = [1 << bit for bit in range(lanes.bit_length()) if 1 << bit < lanes]
    return (*powers, lanes)


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """Node n of head slot s of a sweep has lane ``s * lanes_per_head + n``.

    A sweep over the cache of a KV head serves as many of its query heads as there are lanes for,
    each in a *head slot*; the rest is left to the next sweep.
    """

    lanes: int
    nodes: int
    heads: int
    """Query heads of a KV head."""

    @property
    def lanes_per_head(self) -> int:
        """Lanes of a query head."""
        return next(
            lanes_per_head
            for lanes_per_head in lanes_per_head_choices(self.lanes)
            if lanes_per_head >= self.nodes
        )

    @property
    def head_slots(self) -> int:
        """Query heads of a sweep, at most."""
        return min(self.heads, self.lanes // self.lanes_per_head)

    @property
    def sweeps(self) -> int:
        """Sweeps over the cache of a KV head."""
        return -(-self.heads // self.head_slots)
