"""What the simulated memory counted."""

from dataclasses import dataclass

__all__ = ["MemoryStatistics", "PortStatistics"]


@dataclass(frozen=True, kw_only=True)
class PortStatistics:
    """Of one port; a cycle counts in ``read_beats``, ``blocked``, ``starved`` or ``idle``."""

    read_bursts: int
    write_bursts: int
    read_beats: int
    write_beats: int
    blocked: int
    """Cycles in which a beat was offered and not taken."""
    starved: int
    """Cycles in which beats were asked for and none was offered."""
    idle: int
    """Cycles in which nothing was asked for."""


@dataclass(frozen=True, kw_only=True)
class MemoryStatistics:
    """Of all ports, since they were cleared."""

    cycles: int
    refresh: int
    """Cycles spent refreshing."""
    turnarounds: int
    """Changes between reads and writes."""
    turning: int
    """Cycles lost by them."""
    full: float
    """What the memory's rate lost while a port held as many beats as it may, in cycles of that
    rate; of several reasons the first of this and the next two counts."""
    latency: float
    """What it lost while all that was asked for was not due yet."""
    unasked: float
    """What it lost while nothing was asked for."""
    ports: tuple[PortStatistics, ...]
    beat_bytes: int

    @property
    def bytes_read(self) -> int:
        return self.beat_bytes * sum(port.read_beats for port in self.ports)

    @property
    def bytes_written(self) -> int:
        """Whole beats, whatever their strobes."""
        return self.beat_bytes * sum(port.write_beats for port in self.ports)
