"""The account of a pass's cycles by the activity of its memory."""

from dataclasses import dataclass, fields

from tercel_sim.ddr import DdrConfig
from tercel_sim.memory_statistics import MemoryStatistics

__all__ = ["CycleAccount", "account_cycles"]


@dataclass(frozen=True, kw_only=True)
class CycleAccount:
    """Cycles of a pass by the activity of the memory; the fields add up to the cycles.

    All fields but ``moving`` are losses: the memory could have moved more bytes.
    """

    moving: float
    """Transfer of the bytes, at the sustained rate."""
    refreshing: float
    """Refresh beyond its part in the sustained rate; negative if it happened less often."""
    turning: float
    """Bus turnaround from reads to writes and back."""
    full: float
    """Ports held as many beats as they may: their rate is lower, or the accelerator stalls them."""
    latency: float
    """All requested beats were still within their latency."""
    unasked: float
    """There was no request: the accelerator's buffers were full, or its next run was unknown."""
    rows: float = 0.0
    """Rows of banks were being opened."""

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
        The memory's counts over the pass, without requests before or after it.
    start, cycles
        First cycle of the pass by the memory's clock, and its number of cycles.
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
        "rows": statistics.rows,
    }
    # The refreshes of the statistics include cycles outside the pass.
    return CycleAccount(**known, unasked=cycles - sum(known.values()))


def _refreshes(ddr: DdrConfig, cycles: int) -> int:
    """Return the cycles of refresh among the first ``cycles`` of the memory."""
    if not ddr.refresh_interval:
        return 0
    intervals, rest = divmod(cycles, ddr.refresh_interval)
    begun = rest - (ddr.refresh_interval - ddr.refresh_cycles)
    return intervals * ddr.refresh_cycles + max(0, begun)
