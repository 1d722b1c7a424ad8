"""The results of a pass that drafters and acceptors need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tercel.device import Ask, Limits

__all__ = ["PassNeeds"]


@dataclass(frozen=True, kw_only=True)
class PassNeeds:
    """Results wanted of the nodes of a round, beside those that the sampler needs.

    Two needs combine by ``|``.
    """

    top_k: int = 0
    """Tokens of the highest logits of each node."""
    logits: bool = False
    """Logits of each node."""
    hidden: bool = False
    """Residual stream of each node before the final norm."""

    def __or__(self, other: "PassNeeds") -> "PassNeeds":
        return PassNeeds(
            top_k=max(self.top_k, other.top_k),
            logits=self.logits or other.logits,
            hidden=self.hidden or other.hidden,
        )

    def extend(self, ask: Ask, nodes: Sequence[int], limits: Limits) -> Ask:
        """A sampler's request with these results of ``nodes`` added.

        A top-k beyond the device's is cut to it.
        """
        most = limits.most_top_k(two_stage=ask.two_stage)
        return replace(
            ask,
            top_k=max(ask.top_k, min(self.top_k, most)),
            logits=tuple(nodes) if self.logits else ask.logits,
            hidden=tuple(nodes) if self.hidden else (),
        )
