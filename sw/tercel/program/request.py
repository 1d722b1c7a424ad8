"""What a pass program is built for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Request"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A pass, already checked."""

    tokens: tuple[int, ...] | None
    """A token a node; ``None``: rows that the host wrote."""
    parents: tuple[int, ...]
    """-1 for node 0, an earlier node for the others."""
    base: int
    """Position of node 0."""
    layer_mask: tuple[tuple[bool, bool], ...]
    """Per layer, whether its attention and its MLP take part."""
    head_rows: int
    """Rows of the head that count; 0 leaves the head out."""
    argmax: bool = False
    top_k: int = 0
    """Best rows, and the sums of exponentials with them."""
    logits: bool = False
    hidden: bool = False

    @property
    def nodes(self) -> int:
        return len(self.parents)

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
