"""Where the cycles of a pass went, as its memory saw them."""

from dataclasses import dataclass, fields

from tercel_sim.ddr import DdrConfig
from tercel_sim.memory_statistics import MemoryStatistics

__all__ = ["CycleAccount", "account_cycles"]


@dataclass(frozen=True, kw_only=True)
class CycleAccount:
    """What the memory did in the cycles of a pass: the fields add up to them.

    All but ``moving`` is lost: the memory could have moved more.
    """

    moving: float
    """What was moved, at the sustained rate."""
    refreshing: float
    """Refresh, without its part in the sustained rate; below 0 if it was luckily rare."""
    turning: float
    """From reads to writes and back."""
    full: float
    """Ports held as many beats as they may: they bring fewer a cycle, or are not emptied."""
    latency: float
    """All that was asked for was still on its way."""
    unasked: float
    """Nothing was asked for: the accelerator's buffers were full, or it did not know what."""

    @property
    def cycles(self) -> float:
        return sum(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: "CycleAccount") -> "CycleAccount":
        return CycleAccount(
            **{name: value + getattr(other, name) for name, value in vars(self).items()}
        )


def account_cycles(
    ddr: DdrConfig, statistics: MemoryStatistics, *, start: int, cycles: int
) -> CycleAccount:
    """Account for the cycles of a pass.

    Parameters
    ----------
    ddr
        The memory.
    statistics
        What it counted from before the pass to after it; beside the pass nothing was asked for.
    start, cycles
        Of the pass, by the memory's clock.
    """
    refreshed = _refreshes(ddr, start + cycles) - _refreshes(ddr, start)
    moved = statistics.bytes_read + statistics.bytes_written
    moving = moved / ddr.sustained_bytes_per_cycle
    known = {
        "moving": moving,
        "refreshing": refreshed - moving * ddr.refresh_part,
        "turning": float(statistics.turning),
        "full": statistics.full,
        "latency": statistics.latency,
    }
    # What the statistics say of it has the cycles beside the pass in it.
    return CycleAccount(**known, unasked=cycles - sum(known.values()))


def _refreshes(ddr: DdrConfig, cycles: int) -> int:
    """Cycles of refresh among the first so many."""
    if not ddr.refresh_interval:
        return 0
    intervals, rest = divmod(cycles, ddr.refresh_interval)
    begun = rest - (ddr.refresh_interval - ddr.refresh_cycles)
    return intervals * ddr.refresh_cycles + max(0, begun)
