"""The fluid model of the simulated DRAM: times at which requested words arrive."""

from bisect import bisect_left, bisect_right

from tercel_sim.ddr import DdrConfig

__all__ = ["DramQueue"]


class DramQueue:
    """Serves words of all ports together, in order of the requests; times are fractional cycles.

    Parameters
    ----------
    ddr
        Parameters of the memory.
    word_bytes
        Bytes that all ports move together.
    ports
        Number of memory ports.
    start
        Cycle of the memory in which the pass begins; it sets the phase of refreshes.
    word_cycles
        Cycles of a word if rows of banks limit the rate.
    """

    def __init__(
        self,
        ddr: DdrConfig,
        *,
        word_bytes: int,
        ports: int,
        start: int = 0,
        word_cycles: float = 0.0,
    ):
        self._ddr = ddr
        self._start = start
        self._word_cycles = max(word_bytes / ddr.bytes_per_cycle, word_cycles)
        self._beat_cycles = self._word_cycles / ports
        self._port_cycles = 1 / (ddr.port_rate * (1 - ddr.pause))
        self._free = 0.0  # Time from which the DRAM is free.
        self._port_free = 0.0
        self._counts, self._times = [0], [0.0]  # Words that passed the ports, and times.
        self._begun, self._ended = [-1.0], [-1.0]  # Times at which the DRAM read for each request.
        self._written = 0.0  # Time of its last write; a pass ends with writes.
        self._writes = 0.0  # Time of the first pending write.

    def read(self, words: int, request: float, address: int = 0) -> tuple[float, float]:
        """Read words; return the times at which the first and the last pass the ports."""
        start = self._begin(words, request + self._ddr.read_latency, address)
        if self._begun[-1] < self._written <= start:
            start += self._ddr.turnaround
        ahead = self._counts[-1] - self._ddr.read_ahead
        start = self._work(max(start, self._passed(ahead)), 0)
        last = self._work(start, (words - 1) * self._word_cycles)
        last = max(last, self._passed(ahead + words))
        first = max(start, self._port_free)
        end = max(first + (words - 1) * self._port_cycles, last)
        self._free = self._work(last, self._word_cycles * (1 + self._wasted(words, address)))
        self._port_free = end + self._port_cycles
        self._counts.append(self._counts[-1] + words)
        self._times.append(end)
        self._begun.append(start)
        self._ended.append(self._free)
        return first, end

    def write(self, beats: int, ready: float) -> float:
        """Write beats that reach the ports at a time; return the time of their confirmation."""
        ddr, cycles = self._ddr, beats * self._beat_cycles
        if ready <= self._writes:
            # Writes are collected and stored together.
            self._written = self._work(self._written, cycles)
            self._free += cycles
            return self._written - self._beat_cycles + ddr.write_latency
        before = bisect_right(self._begun, ready) - 1
        turned = self._begun[before] < self._written
        start = max(ready, self._written)
        reads = self._ended[before] - start
        more = before + 1 < len(self._begun)
        free = self._begun[before + 1] - max(start, self._ended[before]) if more else float("inf")
        if reads > 0:
            # Writes wait while there are reads, but not for long.
            start += min(reads if free > 0 else ddr.patience, ddr.patience)
        if not turned:
            start += ddr.turnaround
        self._writes = start
        self._written = self._work(start, cycles)
        if more:
            # These reads are already counted; their delay is added now.
            self._free += max(0.0, cycles + 2 * ddr.turnaround - max(0.0, free))
        else:
            self._free = max(self._free, self._written)
        return self._written - self._beat_cycles + ddr.write_latency

    def _begin(self, words: int, ready: float, address: int) -> float:
        """Return the time from which the DRAM can read words that are due at a time."""
        return max(self._free, ready)

    def _wasted(self, words: int, address: int) -> int:
        """Return the words that the DRAM reads besides."""
        return 0

    def _passed(self, count: int) -> float:
        """Return the time at which ``count`` words had passed the ports."""
        if count <= 0:
            return 0.0
        index = min(bisect_left(self._counts, count), len(self._counts) - 1)
        behind = self._counts[index] - count
        return self._times[index] - behind * self._port_cycles

    def _work(self, start: float, cycles: float) -> float:
        """Return the end of ``cycles`` of work from a time on, with refreshes in between."""
        interval, lost = self._ddr.refresh_interval, self._ddr.refresh_cycles
        if not lost:
            return start + cycles
        while True:
            phase = (start + self._start) % interval
            left = interval - lost - phase
            if left > cycles:
                return start + cycles
            if left > 0:
                start, cycles = start + left, cycles - left
            else:
                left = 0.0
            start += interval - max(phase, interval - lost)
