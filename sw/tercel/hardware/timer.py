"""The host's time, which a simulated accelerator replaces by its own."""

import time
from typing import Protocol

__all__ = ["HostTimer", "Timer"]


class Timer(Protocol):
    """Time as the accelerator's surroundings know it."""

    resolution: float
    """Seconds by which the time of a register access is uncertain."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class HostTimer:
    """Monotonic time of this machine."""

    resolution = 1e-5

    def now(self) -> float:
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
