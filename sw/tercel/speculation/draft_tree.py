"""The tree of tokens that a drafter proposes to follow a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tercel.errors import TercelError
from tercel.numerics.float32 import Float32
from tercel.sampling import Distribution

__all__ = ["PROBE", "ROOT", "DraftTree"]

ROOT = -1
"""Index of the root, the last token of the text, which is not part of the tree itself."""
PROBE = -1
"""Token of a node that has a row of its own in place of a token's embedding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DraftTree:
    """Proposed continuations of a text; an empty tree declines.

    Raises
    ------
    TercelError
        If a field breaks its rule.
    """

    tokens: tuple[int, ...] = ()
    """One token per node; :data:`PROBE` for the nodes in :attr:`rows`."""
    parents: tuple[int, ...] = ()
    """Parent of each node: :data:`ROOT` or an earlier node."""
    estimates: tuple[float, ...] = ()
    """Estimated probability that each node is accepted, never above its parent's; empty if the
    drafter has none."""
    proposals: Mapping[int, Distribution] = field(default_factory=dict)
    """By node (or :data:`ROOT`), the distribution from which its children were drawn, in their
    order; nodes that are absent have children that were not drawn at random."""
    replacement: bool = False
    """True if siblings were drawn with replacement, so that equal ones can follow each other."""
    predictions: Mapping[int, Distribution] = field(default_factory=dict)
    """By node (or :data:`ROOT`), the distribution that a drafter with an opinion of its own gives
    to the token after it, for rules that choose between drafter and model."""
    rows: Mapping[int, Float32] = field(default_factory=dict)
    """By node, ``[hidden_size]`` initial residual stream of a probe: a node that is never
    accepted, for its results alone."""

    def __post_init__(self):
        if len(self.parents) != len(self.tokens):
            raise TercelError(
                f"a tree of {len(self.tokens)} nodes needs as many parents, not {len(self.parents)}"
            )
        for node, parent in enumerate(self.parents):
            if not ROOT <= parent < node:
                raise TercelError(
                    f"the parent of node {node} must be in {ROOT}..{node - 1}, not {parent}"
                )
            if parent in self.rows and node not in self.rows:
                raise TercelError(f"node {node} is a token, so its parent cannot be a probe")
        if self.estimates and len(self.estimates) != len(self.tokens):
            raise TercelError(
                f"a tree of {len(self.tokens)} nodes needs as many estimates, "
                f"not {len(self.estimates)}"
            )
        probes = {node for node, token in enumerate(self.tokens) if token == PROBE}
        if probes != set(self.rows):
            raise TercelError("the nodes without a token must be those that have rows")
        for node, q in self.proposals.items():
            drawn = [self.tokens[child] for child in self.children(node)]
            if not all(q.probability(token) > 0 for token in drawn):
                raise TercelError(f"a child of node {node} has no probability in its proposal")
            if not self.replacement and len(set(drawn)) < len(drawn):
                raise TercelError(f"children of node {node} are equal, but without replacement")

    @classmethod
    def chain(cls, tokens: tuple[int, ...], estimates: tuple[float, ...] = ()) -> "DraftTree":
        """A tree with one path."""
        parents = tuple(range(ROOT, len(tokens) - 1))
        return cls(tokens=tokens, parents=parents, estimates=estimates)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def drafted(self) -> int:
        """Number of drafted tokens: all nodes but the probes."""
        return len(self.tokens) - len(self.rows)

    @property
    def depths(self) -> list[int]:
        """Depth of each node; children of the root have depth 1."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(1 if parent == ROOT else depths[parent] + 1)
        return depths

    def children(self, node: int) -> list[int]:
        """The children of a node that are tokens, in order."""
        return [
            child
            for child, parent in enumerate(self.parents)
            if parent == node and child not in self.rows
        ]

    def child(self, node: int, token: int) -> int | None:
        """The first child of a node with this token; ``None`` if there is none."""
        return next((child for child in self.children(node) if self.tokens[child] == token), None)

    def select(self, nodes: list[int]) -> "DraftTree":
        """The tree of these nodes alone, in this order; each comes after its parent.

        Raises
        ------
        TercelError
            If a node's parent is not among them or not before it.
        """
        place = {ROOT: ROOT}
        for index, node in enumerate(nodes):
            if self.parents[node] not in place:
                raise TercelError(f"node {node} is selected without its parent")
            place[node] = index
        return DraftTree(
            tokens=tuple(self.tokens[node] for node in nodes),
            parents=tuple(place[self.parents[node]] for node in nodes),
            estimates=tuple(self.estimates[node] for node in nodes) if self.estimates else (),
            proposals={place[node]: q for node, q in self.proposals.items() if node in place},
            replacement=self.replacement,
            predictions={place[node]: q for node, q in self.predictions.items() if node in place},
            rows={place[node]: row for node, row in self.rows.items() if node in place},
        )
