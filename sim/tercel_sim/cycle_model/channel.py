"""The model of a channel of words: times of requests, arrivals and reads."""

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass

from tercel_hw.memory import FetchChannel, FetchConfig

__all__ = ["Channel", "Step"]

STEP_CYCLES = 2
"""Cycles from a step to the next."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step: words requested at once."""

    first: int
    """Index of its first word in the channel."""
    words: int
    begins: float
    """Time at which the first word is offered to the consumer."""
    ends: float
    """Time at which the last word is offered."""


class Channel:
    """Model of a :class:`FetchChannel`: takes runs, issues steps as far as there is room.

    Parameters
    ----------
    config
        Parameters of its FIFO and steps.
    """

    def __init__(self, config: FetchConfig):
        self._config = config
        self._runs: deque[tuple[int, int, float]] = deque()  # Address, words, earliest time.
        self._begun = False
        self._free = 0.0  # Time from which the next step may be offered.
        self.asked = 0
        """Words of all requested steps."""
        self._steps: list[Step] = []
        self._starts: list[int] = []
        self._left, self._left_at = [0], [0.0]

    def add_run(self, address: int, words: int, time: float) -> None:
        """Add a run of words that is known from a time on."""
        if words:
            self._runs.append((address, words, time))

    def next_step(self) -> tuple[int, float, int] | None:
        """Return the next step's words, earliest time and address; None if that is not known."""
        if not self._runs:
            return None
        address, words, time = self._runs[0]
        step = self._config.step
        count = min(words, step - address % step)
        room = self.left(self.asked + count - self._config.depth)
        if room is None:
            return None
        latency = 0 if self._begun else FetchChannel.LATENCY
        return count, max(self._free, time + latency, room + 1), address

    def ask(self, count: int, time: float) -> None:
        """Record that the next step was requested."""
        address, words, begun = self._runs.popleft()
        self._begun = words > count
        self._free = time + STEP_CYCLES
        if self._begun:
            self._runs.appendleft((address + count, words - count, begun))
        self.asked += count

    def arrive(self, first: float, last: float, count: int) -> None:
        """Record that words of the last step enter the FIFO."""
        start, latency = self.asked - count, self._config.latency
        self._steps.append(
            Step(first=start, words=count, begins=first + latency, ends=last + latency)
        )
        self._starts.append(start)

    @property
    def arrived(self) -> int:
        """Number of words whose time is known."""
        return self._steps[-1].first + self._steps[-1].words if self._steps else 0

    def step(self, word: int) -> Step:
        """Return the step of a word, which must have arrived."""
        return self._steps[bisect_right(self._starts, word) - 1]

    def take(self, count: int, time: float) -> None:
        """Record that ``count`` words in all have left at a time, evenly since the last record."""
        if count > self._left[-1]:
            self._left.append(count)
            self._left_at.append(max(time, self._left_at[-1]))

    @property
    def taken(self) -> int:
        return self._left[-1]

    def left(self, count: int) -> float | None:
        """Return the time at which ``count`` words had left; None if that is not known."""
        if count <= 0:
            return 0.0
        if count > self._left[-1]:
            return None
        index = bisect_left(self._left, count)
        before, after = self._left[index - 1], self._left[index]
        part = (count - before) / (after - before)
        return self._left_at[index - 1] + part * (self._left_at[index] - self._left_at[index - 1])
