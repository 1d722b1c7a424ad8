"""The model of the ternary engine on its tape, chunk by chunk."""

from collections.abc import Mapping
from dataclasses import dataclass

from tercel.numerics.blocks import BLOCK
from tercel_hw.memory.block_sequencer import SCALE_BYTES
from tercel_hw.tlmm.config import BLOCK_CODES, SAME_ROW, TlmmConfig
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
        queue: int = 0,
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
        queue
            Sums that wait behind the engine until they are taken.
        """
        matrix = _Matrix(fields, columns=columns, word_bytes=self._word_bytes, tlmm=self._tlmm)
        rows, most = fields["rows"], self._tlmm.block_rows
        channel = self._memory.channels["tape"]
        channel.take(self._words + self._ahead(fields["bytes"]), self._last)
        at, ends, leaves = 0, [], prepared
        pace = max(1.0, matrix.sizes[-1] / self._word_bytes)
        for start in range(0, rows, most):
            count = min(most, rows - start)
            at = matrix.begin_block(at, count)
            for chunk, (codes, size) in enumerate(zip(matrix.codes, matrix.sizes, strict=True)):
                known = (matrix, begins, chunk) if not start else None
                full = self._fill(codes, known)
                first = max(full, self._last + 1, self._first + SAME_ROW)
                self._first, self._last = self._issue(first, at, count, size)
                at += count * size
                if chunk == len(matrix.sizes) - 1:
                    # Sums wait in the queue until they are taken; when it is full, rows wait.
                    leaves = max(leaves, self._first + self._tlmm.latency) + taken * (count - 1)
                    leaves = max(leaves, self._last + self._tlmm.latency)
                    before = start + count - self._queue - queue - 1
                    if before >= 0:
                        left = Rows(
                            ends=(*ends, leaves), block_rows=most, rows=start + count, pace=taken
                        )
                        self._last = max(self._last, left.row(before) + 1)
                self._free = [self._free[1], self._last + 1]
            ends.append(leaves)
            leaves += taken
        self._words += -(-at // self._word_bytes)
        return Rows(ends=tuple(ends), block_rows=most, rows=rows, pace=max(pace, taken))

    def _ahead(self, size: int) -> int:
        """Return the words that leave the channel before the engine takes a row-chunk."""
        return WordRouter.QUEUE + self._gearbox.words_ahead(size)

    def _fill(self, codes: int, known: tuple["_Matrix", float, int] | None) -> float:
        """Fill the tables of a chunk; return the time at which they are full.

        ``known`` is given in the first block, whose groups arrive with their columns: the matrix,
        the time of the first column, and the chunk.
        """
        entries, count = self._tlmm.entries, self._tlmm.generators
        free = self._free[0]
        for code in range(codes):
            time = max(self._group + 1, self._generators[code % count], free)
            if known:
                matrix, begins, chunk = known
                needed = matrix.columns_of(chunk, code)
                time = max(time, begins + needed - 1 + ActivationStore.LATENCY)
            self._group = time
            self._generators[code % count] = time + entries
        return self._group + entries + 1

    def _issue(self, first: float, at: int, rows: int, size: int) -> tuple[float, float]:
        """Play a chunk of row-chunks of ``size`` bytes from byte ``at`` of the matrix on.

        Returns
        -------
        The times of its first and last row-chunk.
        """
        channel, width = self._memory.channels["tape"], self._word_bytes
        pace = max(1.0, size / width)
        time, begun, end = first, None, first
        done = 0
        while done < rows:
            word = self._words + -(-(at + (done + 1) * size) // width) - 1
            step = self._memory.word("tape", word)
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            time = max(time, step.begins + (word - step.first) * spread + self._arrives)
            begun = time if begun is None else begun
            whole = ((step.first + step.words - self._words) * width - at) // size
            count = max(1, min(whole, rows) - done)
            word = self._words + -(-(at + (done + count) * size) // width)
            late = step.begins + (word - 1 - step.first) * spread + self._arrives
            end = max(time + (count - 1) * pace, late)
            done += count
            channel.take(word + self._ahead(size), end)
            time = end + pace
        return first if begun is None else begun, end


class _Matrix:
    """The row-chunks of a matrix, and the columns that their codes are of.

    Attributes
    ----------
    codes, sizes : tuple of int
        Codes and bytes of each row-chunk of a row.
    """

    def __init__(
        self, fields: Mapping[str, int], *, columns: int, word_bytes: int, tlmm: TlmmConfig
    ):
        self._columns, self._word_bytes, self._group = columns, word_bytes, tlmm.weight_code.group
        self._grouped, self._scaled = fields["grouped"], fields["row_scales"]
        self._step, others = fields["codes"], fields["chunks"] - 1
        last = (fields["last_codes"], fields["last_bytes"])
        codes, size = last if self._scaled else (fields["codes"], fields["bytes"])
        self.codes = (*[fields["codes"]] * others, codes)
        self.sizes = (*[fields["bytes"]] * others, size)

    def begin_block(self, at: int, rows: int) -> int:
        """Return the first byte of the row-chunks of a block behind the bytes before."""
        if not self._scaled:
            return at
        words = -(-at // self._word_bytes) + -(-SCALE_BYTES * rows // self._word_bytes)
        return words * self._word_bytes

    def columns_of(self, chunk: int, code: int) -> int:
        """Return the number of columns that must be there for a code of a chunk."""
        place = chunk * self._step + code
        if not self._grouped:
            return min(self._columns, (place + 1) * self._group)
        block, place = divmod(place, BLOCK_CODES)
        return min(self._columns, block * BLOCK + min(BLOCK, (place + 1) * self._group))
