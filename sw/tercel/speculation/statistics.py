"""Counts and times of speculative decoding."""

from dataclasses import dataclass, replace

from tercel.speculation.round import Round

__all__ = ["SpeculationStatistics"]


@dataclass(frozen=True, kw_only=True)
class SpeculationStatistics:
    """Counts and times over rounds; a round is one verifying pass."""

    rounds: int = 0
    drafts: int = 0
    """Rounds with drafted tokens."""
    drafted: int = 0
    """Tokens of all trees, without probes."""
    accepted: tuple[int, ...] = ()
    """Rounds in which the node at depth 1, 2, ... was accepted."""
    bonus: int = 0
    """Rounds whose last token follows a leaf of the tree; in all others with a tree it recovers
    from a disagreement."""
    emitted: int = 0
    """Tokens added to the text."""
    failures: int = 0
    """Rounds whose drafter failed or gave an invalid tree."""
    failure: str | None = None
    """Error of the last one."""
    draft_seconds: float = 0.0
    """Time in which drafters proposed and learned."""
    verify_seconds: float = 0.0
    accept_seconds: float = 0.0

    def add(self, round: Round, observe_seconds: float) -> "SpeculationStatistics":
        """These statistics with one more round, whose drafter learned for ``observe_seconds``."""
        tree, path = round.verdict.tree, round.outcome.path
        depth = max(len(path), len(self.accepted))
        before = (*self.accepted, *[0] * (depth - len(self.accepted)))
        leaf = bool(path) and not tree.children(path[-1])
        return replace(
            self,
            rounds=self.rounds + 1,
            drafts=self.drafts + (tree.drafted > 0),
            drafted=self.drafted + tree.drafted,
            accepted=tuple(count + (index < len(path)) for index, count in enumerate(before)),
            bonus=self.bonus + leaf,
            emitted=self.emitted + len(round.tokens),
            failures=self.failures + (round.declined is not None),
            failure=self.failure if round.declined is None else round.declined,
            draft_seconds=self.draft_seconds + round.draft_seconds + observe_seconds,
            verify_seconds=self.verify_seconds + round.verify_seconds,
            accept_seconds=self.accept_seconds + round.accept_seconds,
        )

    @property
    def tokens_per_round(self) -> float | None:
        """Tokens a verify."""
        return self.emitted / self.rounds if self.rounds else None

    @property
    def milliseconds_per_token(self) -> float | None:
        """Time of drafts, passes and acceptance per emitted token."""
        seconds = self.draft_seconds + self.verify_seconds + self.accept_seconds
        return 1000 * seconds / self.emitted if self.emitted else None

    def to_dict(self) -> dict[str, int | float | str | list[int] | None]:
        """Every count, time and ratio by name, for JSON."""
        rounds, drafts = self.rounds, self.drafts
        return {
            "rounds": rounds,
            "drafts": drafts,
            "drafted": self.drafted,
            "accepted": list(self.accepted),
            "bonus": self.bonus,
            "emitted": self.emitted,
            "failures": self.failures,
            "failure": self.failure,
            "tokens_per_round": self.tokens_per_round,
            "ms_per_draft": 1000 * self.draft_seconds / drafts if drafts else None,
            "ms_per_verify": 1000 * self.verify_seconds / rounds if rounds else None,
            "ms_per_accept": 1000 * self.accept_seconds / rounds if rounds else None,
            "ms_per_token": self.milliseconds_per_token,
        }
