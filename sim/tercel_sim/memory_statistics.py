"""Statistics of the simulated memory."""

from dataclasses import dataclass

__all__ = ["MemoryStatistics", "PortStatistics"]


@dataclass(frozen=True, kw_only=True)
class PortStatistics:
    """Counts of a port; a cycle counts in ``read_beats``, ``blocked``, ``starved`` or ``idle``."""

    read_bursts: int
    write_bursts: int
    read_beats: int
    write_beats: int
    blocked: int
    """Cycles in which a beat was offered and not taken."""
    starved: int
    """Cycles in which beats were requested and none was offered."""
    idle: int
    """Cycles without a request."""


@dataclass(frozen=True, kw_only=True)
class MemoryStatistics:
    """Statistics of all ports since the last clear."""

    cycles: int
    refresh: int
    """Cycles of refresh."""
    turnarounds: int
    """Changes between reads and writes."""
    turning: int
    """Cycles lost by turnarounds."""
    full: float
    """Loss while a port held as many beats as it may, in cycles of the memory's rate; of several
    reasons the first of ``rows``, this and the next two counts."""
    latency: float
    """Loss while all requested beats were within their latency."""
    unasked: float
    """Loss while there was no request."""
    ports: tuple[PortStatistics, ...]
    beat_bytes: int
    rows: float = 0.0
    """Loss while all waiting accesses were to rows of banks that were not open, and what accesses
    moved beyond what was asked of them."""

    @property
    def bytes_read(self) -> int:
        return self.beat_bytes * sum(port.read_beats for port in self.ports)

    @property
    def bytes_written(self) -> int:
        """Bytes of all beats, whatever their strobes."""
        return self.beat_bytes * sum(port.write_beats for port in self.ports)
