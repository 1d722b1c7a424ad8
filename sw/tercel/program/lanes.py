"""How an accelerator's lanes are shared by the query heads of a KV head."""

from dataclasses import dataclass

__all__ = ["LanePlan", "pads"]


def pads(lanes: int) -> tuple[int, ...]:
    """Numbers of lanes that a query head can have: powers of two, and all of them."""
    powers = [1 << bit for bit in range(lanes.bit_length()) if 1 << bit < lanes]
    return (*powers, lanes)


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """Node n of the turn t of a walk has lane ``t * pad + n``.

    A walk over the cache of a KV head serves as many of its query heads, its *turns*, as there are
    lanes for; what remains is left to the next walk.
    """

    lanes: int
    nodes: int
    heads: int
    """Query heads of a KV head."""

    @property
    def pad(self) -> int:
        """Lanes of a query head."""
        return next(pad for pad in pads(self.lanes) if pad >= self.nodes)

    @property
    def turns(self) -> int:
        """Query heads of a walk, at most."""
        return min(self.heads, self.lanes // self.pad)

    @property
    def walks(self) -> int:
        """Walks over the cache of a KV head."""
        return -(-self.heads // self.turns)
