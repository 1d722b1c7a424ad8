"""The result of one test of a benchmark: times by the clock they come from, and other readings."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tercel.device import Counters, Timing

__all__ = ["HostParts", "Measurement", "Spread"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation over repetitions."""

    mean: float
    deviation: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "Spread":
        """Mean and sample deviation; 0 for a single value."""
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(mean=statistics.fmean(values), deviation=deviation)


@dataclass(frozen=True, kw_only=True)
class HostParts:
    """Seconds of a text's repetition that the host spends outside of passes and commits."""

    sampling: float
    """Drafting, acceptance and sampling."""
    tokenising: float
    """Tokens to text, and the loop around it."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The result of one test; a tuple has a value a repetition."""

    test: str
    """Name of the test: ``pp128``, ``tg32``, ``v4``, ``text32``, with `` @ d512`` appended at a
    depth of 512."""
    tokens: int
    """Tokens in one repetition."""
    timing: Timing
    """Clock of :attr:`seconds`."""
    host_seconds: tuple[float, ...]
    """The host's time of passes and commits, the simulation of a device included."""
    device_seconds: tuple[float, ...]
    """Time of the passes by the device's own count; zeros for a device without one."""
    simulation_seconds: tuple[float, ...] | None
    """The host's time of simulating; ``None`` if it cannot be told apart."""
    host_parts: tuple[HostParts, ...] | None = None
    """Other work of the host on a text; ``None`` in other tests."""
    joules: tuple[float, ...] | None = None
    """Energy that the power sensor counted; ``None`` without one."""
    temperature: float | None = None
    """Highest temperature in degrees Celsius; ``None`` without a sensor."""
    counters: Counters
    """Device counters summed over all repetitions."""

    @property
    def seconds(self) -> tuple[float, ...]:
        """Time that speeds are computed from, without tokenising and sampling.

        Simulated passes: the device's time alone. Any other device: the host's, which on a board
        has the driver in it.
        """
        simulated = self.timing is Timing.SIMULATED
        return self.device_seconds if simulated else self.host_seconds

    @property
    def tokens_per_second(self) -> Spread:
        return Spread.over([self.tokens / seconds for seconds in self.seconds])

    @property
    def milliseconds_per_pass(self) -> Spread:
        return self._per_pass(self.seconds)

    @property
    def accelerator_milliseconds(self) -> Spread | None:
        """Time of a pass in the accelerator by its own count; ``None`` without an accelerator."""
        return None if self.timing is Timing.HOST else self._per_pass(self.device_seconds)

    @property
    def driver_milliseconds(self) -> Spread | None:
        """The host's time a pass and commit without that of accelerator or simulation.

        ``None`` without a driver, or if a simulation's time cannot be told apart.
        """
        if self.timing is Timing.HOST or self.simulation_seconds is None:
            return None
        simulated = self.timing is Timing.SIMULATED
        others = self.simulation_seconds if simulated else self.device_seconds
        return self._per_pass(
            [host - other for host, other in zip(self.host_seconds, others, strict=True)]
        )

    @property
    def sampling_milliseconds(self) -> Spread | None:
        """Drafting, acceptance and sampling a pass; ``None`` but of a text."""
        return self._host_part([part.sampling for part in self.host_parts or ()])

    @property
    def tokenising_milliseconds(self) -> Spread | None:
        """Tokens to text a pass; ``None`` but of a text."""
        return self._host_part([part.tokenising for part in self.host_parts or ()])

    @property
    def bytes_per_token(self) -> float:
        """Bytes of tape and KV cache read from memory per token."""
        return self.counters.bytes_read / (self.tokens * len(self.host_seconds))

    def share_of_memory(self, peak: float) -> float:
        """Bytes read and written over those that a memory of ``peak`` bytes a second could move."""
        moved = self.counters.bytes_read + self.counters.kv_bytes_written
        return moved / (peak * sum(self.seconds))

    @property
    def joules_per_token(self) -> float | None:
        if self.joules is None:
            return None
        return sum(self.joules) / (self.tokens * len(self.joules))

    def _host_part(self, seconds: Sequence[float]) -> Spread | None:
        return self._per_pass(seconds) if seconds else None

    def _per_pass(self, seconds: Sequence[float]) -> Spread:
        passes = self.counters.passes / len(seconds)
        return Spread.over([1000 * each / passes for each in seconds])
