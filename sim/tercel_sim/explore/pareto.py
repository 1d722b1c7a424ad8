"""Dominance of designs by speed, time to the first token, verify and resources."""

from collections.abc import Iterable, Sequence

from tercel_sim.explore.evaluation import Evaluation

__all__ = ["dominates", "front", "objectives"]


def objectives(found: Evaluation) -> tuple[float, ...]:
    """The figures that a search minimises: token, first token and verify in ms; largest share."""
    speed = found.speed
    return (
        1000 / speed.tokens_per_second,
        speed.first_token_ms,
        speed.verify_ms,
        found.largest_share,
    )


def dominates(
    one: Sequence[float], other: Sequence[float], tolerance: Sequence[float] | float = 0.0
) -> bool:
    """Return True if ``one`` is nowhere worse than ``other``, and better somewhere.

    Parameters
    ----------
    one, other
        Objectives, positive, smaller is better.
    tolerance
        Relative error of each objective: ``one`` must be better by more than it somewhere.
    """
    several = isinstance(tolerance, Sequence)
    tolerances = list(tolerance) if several else [tolerance] * len(one)
    pairs = list(zip(one, other, tolerances, strict=True))
    nowhere_worse = all(mine <= theirs for mine, theirs, _ in pairs)
    return nowhere_worse and any(mine < theirs * (1 - error) for mine, theirs, error in pairs)


def front(found: Iterable[Evaluation]) -> list[Evaluation]:
    """The designs that no other one dominates, fastest first; of equals the first."""
    seen: dict[tuple[float, ...], Evaluation] = {}
    for each in found:
        seen.setdefault(objectives(each), each)
    best = [
        each
        for mine, each in seen.items()
        if not any(dominates(other, mine) for other in seen if other != mine)
    ]
    return sorted(best, key=objectives)
