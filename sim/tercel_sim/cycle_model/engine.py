"""The model of the ternary engine on its tape, chunk by chunk."""

from collections.abc import Mapping
from dataclasses import dataclass

from tercel_hw.tlmm.config import SAME_ROW
from tercel_hw.top import AcceleratorConfig, WordRouter
from tercel_hw.vector import ActivationStore
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Engine", "Rows"]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Times at which the rows of a linear leave, in order at the end of each block."""

    ends: tuple[float, ...]
    """Time of the last row of each block."""
    block_rows: int
    rows: int
    pace: float
    """Cycles from row to row."""

    @property
    def last(self) -> float:
        return self.ends[-1]

    def row(self, index: int) -> float:
        """Return the time at which a row leaves."""
        block, place = divmod(index, self.block_rows)
        rows = min(self.block_rows, self.rows - block * self.block_rows)
        return self.ends[block] - (rows - 1 - place) * self.pace


class Engine:
    """Model of the engine: ``TlmmConfig.finish_cycles`` with arrival times of groups and words.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that the tape is read from.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._tlmm = config.tlmm
        self._memory = memory
        self._word_bytes = config.word_bytes
        self._gearbox = config.gearbox
        # From a word's offer to that of the row-chunk which it completes.
        self._arrives = WordRouter.LATENCY + config.gearbox.latency
        self._queue = 1 << self._tlmm.latency.bit_length()
        self._words = 0  # Words of the tape before the segment.
        self._generators = [0.0] * config.tlmm.generators
        self._free = [0.0, 0.0]  # Time from which each bank may be filled.
        self._group = 0.0  # Time at which the last group was taken.
        self._first = self._last = -float(SAME_ROW)

    @property
    def words(self) -> int:
        """Words of the tape that were played or skipped."""
        return self._words

    def skip(self, words: int) -> None:
        """Skip words that go to another consumer."""
        self._words += words

    def play(
        self,
        fields: Mapping[str, int],
        *,
        columns: int,
        begins: float,
        prepared: float,
        taken: int = 1,
    ) -> Rows:
        """Multiply a matrix; return the times of its rows.

        Parameters
        ----------
        fields
            Fields of the ``engine`` command.
        columns
            Number of columns of the row that is multiplied, one a cycle.
        begins
            Time at which the first column is offered to the activation store.
        prepared
            Time from which the first sum can be taken.
        taken
            Cycles from one sum to the next.
        """
        rows, most = fields["rows"], self._tlmm.block_rows
        channel = self._memory.channels["tape"]
        channel.take(self._words + self._ahead(fields["bytes"]), self._last)
        played, ends, leaves = 0, [], prepared
        pace = max(1.0, fields["bytes"] / self._word_bytes)
        for start in range(0, rows, most):
            count = min(most, rows - start)
            for chunk in range(fields["chunks"]):
                groups = (columns, begins, chunk * fields["codes"]) if not start else None
                full = self._fill(fields["codes"], groups)
                first = max(full, self._last + 1, self._first + SAME_ROW)
                self._first, self._last = self._issue(first, played, count, fields["bytes"], pace)
                played += count
                if chunk == fields["chunks"] - 1:
                    # Sums wait in the queue until they are taken; when it is full, rows wait.
                    leaves = max(leaves, self._first + self._tlmm.latency) + taken * (count - 1)
                    leaves = max(leaves, self._last + self._tlmm.latency)
                    before = start + count - self._queue - 1
                    if before >= 0:
                        left = Rows(
                            ends=(*ends, leaves), block_rows=most, rows=start + count, pace=taken
                        )
                        self._last = max(self._last, left.row(before) + 1)
                self._free = [self._free[1], self._last + 1]
            ends.append(leaves)
            leaves += taken
        self._words += -(-played * fields["bytes"] // self._word_bytes)
        return Rows(ends=tuple(ends), block_rows=most, rows=rows, pace=max(pace, taken))

    def _ahead(self, size: int) -> int:
        """Return the words that leave the channel before the engine takes a row-chunk."""
        return WordRouter.QUEUE + self._gearbox.words_ahead(size)

    def _fill(self, codes: int, groups: tuple[int, float, int] | None) -> float:
        """Fill the tables of a chunk; return the time at which they are full.

        ``groups`` is given in the first block, whose groups arrive with their columns: the number
        of columns, the time of the first, and the chunk's first group.
        """
        entries, count = self._tlmm.entries, self._tlmm.generators
        size = self._tlmm.weight_code.group
        free = self._free[0]
        for code in range(codes):
            time = max(self._group + 1, self._generators[code % count], free)
            if groups:
                columns, begins, before = groups
                known = min(columns, (before + code + 1) * size)
                time = max(time, begins + known - 1 + ActivationStore.LATENCY)
            self._group = time
            self._generators[code % count] = time + entries
        return self._group + entries + 1

    def _issue(
        self, first: float, played: int, rows: int, size: int, pace: float
    ) -> tuple[float, float]:
        """Play a chunk; return the times of its first and last row-chunk."""
        channel, width = self._memory.channels["tape"], self._word_bytes
        time, begun, end = first, None, first
        done, last = played, played + rows
        while done < last:
            word = self._words + -(-(done + 1) * size // width) - 1
            step = self._memory.word("tape", word)
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            time = max(time, step.begins + (word - step.first) * spread + self._arrives)
            begun = time if begun is None else begun
            whole = (step.first + step.words - self._words) * width // size
            count = max(1, min(whole, last) - done)
            word = self._words + -(-(done + count) * size // width)
            late = step.begins + (word - 1 - step.first) * spread + self._arrives
            end = max(time + (count - 1) * pace, late)
            done += count
            channel.take(word + self._ahead(size), end)
            time = end + pace
        return first if begun is None else begun, end
