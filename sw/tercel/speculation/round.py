"""One round of speculative decoding: its draft, its results and its tokens."""

from dataclasses import dataclass, replace

from tercel.speculation.acceptor import Outcome, Verdict

__all__ = ["Round"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """A verified round."""

    root_token: int
    """Last token of the text before it."""
    verdict: Verdict
    outcome: Outcome
    draft_seconds: float
    verify_seconds: float
    """Time of the pass: the accelerator's own where it counts its cycles, else the host's."""
    accept_seconds: float
    drafter: int | None = None
    """Index of the drafter among the speculator's; ``None`` for a plain round."""
    declined: str | None = None
    """The error of a drafter that failed, or of an invalid tree; ``None`` if there was none."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens that the round adds to the text."""
        return self.outcome.tokens

    @property
    def end(self) -> int:
        """Position of its last token."""
        return self.verdict.position + len(self.tokens)

    @property
    def nodes(self) -> int:
        """Nodes of the pass."""
        return self.verdict.root + 1 + len(self.verdict.tree)

    @property
    def last_node(self) -> int:
        """Node of the pass that is the last kept one: its results are those before the last
        token."""
        path = self.outcome.path
        return self.verdict.pass_node(path[-1]) if path else self.verdict.root

    @property
    def kept_nodes(self) -> list[int]:
        """Path of pass nodes to commit: up to the root, then the accepted ones that lie in a row.

        The tokens of later accepted nodes wait for the next pass, which computes them again: that
        takes less time than the host needs to move their rows in the cache.
        """
        nodes = list(range(self.verdict.root + 1))
        for node in self.outcome.path:
            if self.verdict.pass_node(node) != len(nodes):
                break
            nodes.append(len(nodes))
        return nodes

    def cut(self, tokens: int) -> "Round":
        """The round as if it had emitted its first ``tokens`` tokens alone, one or more."""
        return replace(self, outcome=self.outcome.cut(tokens))
