"""The model's head and the lines for the host."""

from collections.abc import Mapping

from tercel.numerics.head import WINDOW
from tercel_hw.dense import dense_latency
from tercel_hw.head import HeadUnit
from tercel_hw.top import AcceleratorConfig
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Head", "Lines"]

ASKED = 2
"""Cycles from the vector's last element to the walk, and from there to the first word."""
ALIGNED = 1
SHOWN = 2
"""Cycles from a row's line to the summary's."""
SUMMED = WINDOW + 4
"""Cycles from the last row to the sums of exponentials."""
WRITTEN = 3
"""Cycles from a line to its first granule."""
STORED = 5
"""Cycles from the last granule to the beat at the memory."""


class Lines:
    """Result lines to memory.

    Parameters
    ----------
    config
        The accelerator.
    memory
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._granules = config.results.line_granules
        self._burst = config.burst_beats * config.ports
        self._memory = memory

    def write(self, lines: int, first: float, last: float) -> float:
        """When lines are confirmed that come between these times."""
        count = lines * self._granules
        pace = max(1.0, (last - first) / max(1, lines - 1) / self._granules)
        confirmed = first
        for start in range(0, count, self._burst):
            granules = min(self._burst, count - start)
            last = first + (start + granules - 1) * pace
            confirmed = self._memory.write(granules, last + WRITTEN + STORED)
        return confirmed


class Head:
    """A walk over the rows of the vocabulary.

    Parameters
    ----------
    config
        The accelerator.
    memory
        Brings the tape.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory
        self._lines = Lines(config, memory)

    def walk(
        self,
        fields: Mapping[str, int],
        *,
        columns: int,
        begins: float,
        before: int,
        words: int,
    ) -> tuple[float, float]:
        """When the last row's sums leave, and when the summary is confirmed.

        Parameters
        ----------
        fields
            Of the ``head`` command.
        columns
            Of the row that comes.
        begins
            When the first column is offered.
        before, words
            Words of the tape before the head, and of the head.
        """
        channel = self._memory.channels["tape"]
        time, word = begins + columns + ASKED, before
        while word < before + words:
            step = self._memory.word("tape", word)
            count = min(before + words, step.first + step.words) - word
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            came = step.begins + (word - step.first) * spread
            time = max(max(time, came) + count, came + (count - 1) * spread + 1)
            word += count
            channel.take(word, time - 1)
        sums = time - 1 + ALIGNED + dense_latency(self._config.dense)
        ranks = min(fields["limit"], fields["best"])
        lines = 1 + 2 * fields["argmax"] + 3 * fields["sums"] + 2 * ranks
        first = sums + HeadUnit.LATENCY + SHOWN
        last = first + lines - 1
        if fields["sums"]:
            last = max(last, first - SHOWN + SUMMED + 3 + 2 * ranks)
        return sums, self._lines.write(lines, first, last)
