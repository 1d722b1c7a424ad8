"""A pass over a tree of token nodes, checked and complete."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig

__all__ = ["Ask", "Request"]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The results wanted of a pass. An ask of nothing skips the head."""

    argmax: bool = True
    """The best row of every node."""
    top_k: int = 0
    """The best rows of every node with their logits, and the log of the sum of all exponentials."""
    logits: tuple[int, ...] = ()
    """Nodes whose whole logits are wanted."""
    hidden: tuple[int, ...] = ()
    """Nodes whose residual stream before the final norm is wanted."""
    layer_mask: tuple[tuple[bool, bool], ...] | None = None
    """Per layer, whether its attention and its MLP take part; ``None`` is all of them."""
    head_rows: int | None = None
    """Only the first so many rows of the head; ``None`` is the whole vocabulary."""

    @property
    def needs_head(self) -> bool:
        return self.argmax or self.top_k > 0 or bool(self.logits)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A pass, already checked.

    Parameters
    ----------
    config
        The model.
    """

    config: ModelConfig
    tokens: tuple[int, ...] | None
    """A token a node; ``None``: rows of the residual stream that the host gives."""
    parents: tuple[int, ...]
    """-1 for node 0, an earlier node for the others."""
    base: int
    """Position of node 0: the number of committed positions."""
    ask: Ask = field(default_factory=Ask)

    @property
    def nodes(self) -> int:
        return len(self.parents)

    @property
    def head_rows(self) -> int:
        """Rows of the head that count; 0 leaves the head out."""
        if not self.ask.needs_head:
            return 0
        return self.config.vocab_size if self.ask.head_rows is None else self.ask.head_rows

    @property
    def layer_mask(self) -> tuple[tuple[bool, bool], ...]:
        """Per layer, whether its attention and its MLP take part."""
        return self.ask.layer_mask or ((True, True),) * self.config.layers

    @property
    def commits(self) -> bool:
        """Whether the pass writes the KV of every layer, so that it can be committed."""
        return all(attention for attention, _ in self.layer_mask)

    def positions(self) -> list[int]:
        """Position of each node: the base and the node's depth."""
        positions = [self.base]
        for parent in self.parents[1:]:
            positions.append(positions[parent] + 1)
        return positions

    def ancestors(self) -> npt.NDArray[np.bool_]:
        """``[N, N]``: row i marks the nodes that node i sees, itself included."""
        seen = np.eye(self.nodes, dtype=bool)
        for node, parent in enumerate(self.parents[1:], 1):
            seen[node] |= seen[parent]
        return seen
