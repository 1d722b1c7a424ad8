"""The request of a pass over a tree of token nodes."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tercel.config import ModelConfig

__all__ = ["Ask", "Request"]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The results wanted of a pass. Without argmax, top-k and logits the head is skipped."""

    argmax: bool = True
    """Return the row of the highest logit of every node."""
    top_k: int = 0
    """Return this many rows of the highest logits of every node with their logits, and the
    log-sum-exp over all rows; 0 returns neither."""
    logits: tuple[int, ...] = ()
    """Nodes whose logits of all rows are returned."""
    hidden: tuple[int, ...] = ()
    """Nodes whose residual stream before the final norm is returned."""
    layer_mask: tuple[tuple[bool, bool], ...] | None = None
    """Per layer, whether its attention and its MLP are run; ``None`` runs all."""
    head_rows: int | None = None
    """Number of rows of the head to run, from row 0; ``None`` is the whole vocabulary."""
    two_stage: bool = False
    """Run the head in two stages: argmax, top-k and log-sum-exp of a node are over the rows that
    the shortlist lists for it, and ties go to the row earlier in the list. Only of images with a
    shortlist, and without logits of all rows."""

    @property
    def needs_head(self) -> bool:
        return self.argmax or self.top_k > 0 or bool(self.logits)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A pass after its checks.

    Parameters
    ----------
    config
        The model.
    """

    config: ModelConfig
    tokens: tuple[int | None, ...]
    """Token of each node; ``None`` for those whose initial residual stream the host gives."""
    parents: tuple[int, ...]
    """Parent of each node: -1 for node 0, an earlier node for the others."""
    base: int
    """Position of node 0: the number of committed positions."""
    ask: Ask = field(default_factory=Ask)

    @property
    def nodes(self) -> int:
        return len(self.parents)

    @property
    def given(self) -> list[int]:
        """Nodes whose initial residual stream the host gives."""
        return [node for node, token in enumerate(self.tokens) if token is None]

    @property
    def float_nodes(self) -> list[int]:
        """Nodes whose initial residual stream an accelerator reads as float32 from the host's rows.

        All nodes if the embedding is ternary: the host decodes the rows of tokens, too.
        """
        return list(range(self.nodes)) if self.config.ternary_head else self.given

    @cached_property
    def head_rows(self) -> int:
        """Rows of the head to run; 0 skips the head."""
        if not self.ask.needs_head:
            return 0
        return self.config.vocab_size if self.ask.head_rows is None else self.ask.head_rows

    @property
    def listed_rows(self) -> int:
        """Rows that a two-stage head lists for each node."""
        return min(self.config.shortlist, self.head_rows)

    @cached_property
    def layer_mask(self) -> tuple[tuple[bool, bool], ...]:
        """Per layer, whether its attention and its MLP are run."""
        return self.ask.layer_mask or ((True, True),) * self.config.layers

    @property
    def commits(self) -> bool:
        """True if the pass writes the KV of every layer, so that it can be committed."""
        return self.ask.layer_mask is None or all(attention for attention, _ in self.layer_mask)

    @cached_property
    def positions(self) -> list[int]:
        """Position of each node: the base and the node's depth."""
        positions = [self.base]
        for parent in self.parents[1:]:
            positions.append(positions[parent] + 1)
        return positions

    @cached_property
    def ancestors(self) -> npt.NDArray[np.bool_]:
        """``[N, N]``: row i marks the nodes that node i attends to, itself included."""
        seen = np.eye(self.nodes, dtype=bool)
        for node, parent in enumerate(self.parents[1:], 1):
            seen[node] |= seen[parent]
        return seen

    @property
    def ancestor_bits(self) -> int:
        """:attr:`ancestors` as a number: bit ``16 i + j`` is set if node i attends to node j."""
        rows: list[int] = []
        for node, parent in enumerate(self.parents):
            rows.append(1 << node | (rows[parent] if node else 0))
        return sum(row << 16 * node for node, row in enumerate(rows))
