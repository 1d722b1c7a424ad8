"""A channel of words: what it asks for, when it comes, when it is taken."""

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass

from tercel_hw.memory import FetchChannel, FetchConfig

__all__ = ["Channel", "Step"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Words asked for at once."""

    first: int
    """How many words of the channel come before."""
    words: int
    begins: float
    """When the first of them is offered to the consumer."""
    ends: float
    """When the last is."""


class Channel:
    """A :class:`FetchChannel`: runs in, steps out as far as there is room.

    Parameters
    ----------
    config
        Its FIFO and steps.
    """

    def __init__(self, config: FetchConfig):
        self._config = config
        self._runs: deque[tuple[int, int, float]] = deque()  # Address, words, from when on.
        self._begun = False
        self._free = 0.0  # From when on the next step may be offered.
        self.asked = 0
        """Words of all steps that were asked for."""
        self._steps: list[Step] = []
        self._starts: list[int] = []
        self._left, self._left_at = [0], [0.0]

    def add_run(self, address: int, words: int, time: float) -> None:
        """Ask for words, from a time on."""
        if words:
            self._runs.append((address, words, time))

    def next_step(self) -> tuple[int, float] | None:
        """Words of the next step, and when it can be asked for; none if that is not known."""
        if not self._runs:
            return None
        address, words, time = self._runs[0]
        step = self._config.step
        count = min(words, step - address % step)
        room = self.left(self.asked + count - self._config.depth)
        if room is None:
            return None
        latency = 0 if self._begun else FetchChannel.LATENCY
        return count, max(self._free, time + latency, room + 1)

    def ask(self, count: int, time: float) -> None:
        """The next step has been asked for."""
        address, words, begun = self._runs.popleft()
        self._begun = words > count
        self._free = time + 1
        if self._begun:
            self._runs.appendleft((address + count, words - count, begun))
        self.asked += count

    def arrive(self, first: float, last: float, count: int) -> None:
        """Words of the step asked for last enter the FIFO."""
        start, latency = self.asked - count, self._config.latency
        self._steps.append(
            Step(first=start, words=count, begins=first + latency, ends=last + latency)
        )
        self._starts.append(start)

    @property
    def arrived(self) -> int:
        """Words that have a known time."""
        return self._steps[-1].first + self._steps[-1].words if self._steps else 0

    def step(self, word: int) -> Step:
        """The step of a word, which must have arrived."""
        return self._steps[bisect_right(self._starts, word) - 1]

    def take(self, count: int, time: float) -> None:
        """``count`` words in all have left at that time; those between, evenly before."""
        if count > self._left[-1]:
            self._left.append(count)
            self._left_at.append(max(time, self._left_at[-1]))

    @property
    def taken(self) -> int:
        return self._left[-1]

    def left(self, count: int) -> float | None:
        """When that many words had left; none if that is not known."""
        if count <= 0:
            return 0.0
        if count > self._left[-1]:
            return None
        index = bisect_left(self._left, count)
        before, after = self._left[index - 1], self._left[index]
        part = (count - before) / (after - before)
        return self._left_at[index - 1] + part * (self._left_at[index] - self._left_at[index - 1])
