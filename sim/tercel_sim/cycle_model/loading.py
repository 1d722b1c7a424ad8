"""The model of the row loader, for the rows at the start of a pass."""

from collections.abc import Mapping

from tercel_hw.top import AcceleratorConfig
from tercel_hw.vector import RowLoader
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Loading"]

INTEGERS, ZEROS = 0, 3


class Loading:
    """Model of the row loader, an element a cycle.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that the words are read from.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._word_bytes = config.word_bytes
        self._memory = memory
        self._words = 0
        self.ends = 0.0
        """Time from which the next row is taken, and the last one is visible to other units."""

    def load(self, fields: Mapping[str, int], issued: float) -> float:
        """Load a row whose command is issued at a time; return the time at which it is taken."""
        taken = max(issued, self.ends)
        time = taken + 1
        elements, kind = fields["elements"], fields["kind"]
        if kind == ZEROS:
            time += elements
        else:
            if kind == INTEGERS:
                time = self._word(time) + 1
            in_word = self._word_bytes if kind == INTEGERS else self._word_bytes // 4
            for start in range(0, elements, in_word):
                time = self._word(time) + min(in_word, elements - start)
            time += 1
        self.ends = time - 1 + RowLoader.LATENCY + 1
        return taken

    def _word(self, time: float) -> float:
        """Take the next word; return its time."""
        step = self._memory.word("rows", self._words)
        spread = (step.ends - step.begins) / max(1, step.words - 1)
        time = max(time, step.begins + (self._words - step.first) * spread)
        self._words += 1
        self._memory.channels["rows"].take(self._words, time)
        return time
