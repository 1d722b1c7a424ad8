"""The cycles of writing new keys and values to the cache, and of attention over it."""

from collections.abc import Iterator, Mapping

from tercel_hw.attention.datapath import BEAT_LATENCY
from tercel_hw.attention.inverse import Inverse
from tercel_hw.attention.output_scale import OutputScale
from tercel_hw.attention.score_scale import ScoreScale
from tercel_hw.attention.softmax_weights import SoftmaxWeights
from tercel_hw.attention.unit_config import SCALES_BYTES
from tercel_hw.cache import CacheWriter
from tercel_hw.dense import dense_latency, totals_latency
from tercel_hw.top import AcceleratorConfig
from tercel_hw.vector import HeadNorm, Rotary
from tercel_hw.vector.head_factors import HeadFactors
from tercel_sim.cycle_model.engine import Rows
from tercel_sim.cycle_model.memory import Memory

__all__ = ["AttentionSweeps", "Caching"]

QUANTISED = 16
"""Cycles of the head quantiser without those of its factors."""
ANNOUNCED = 5
"""Cycles from a run's last granule to the first beat that can be stored."""
CONFIRMED = 2
"""Cycles from the memory's answer to ``i_written`` of the attention unit."""
FIRST_RUN = 3
"""Cycles from ``i_written`` to the first run."""
NEXT_SWEEP = 2
"""Extra cycles between the runs of keys and values."""
TOLD = 2
"""Cycles from the last beat of a dot to the first of the next command."""
QUEUED = 1
"""Cycles of the output queue."""


class Caching:
    """Model of the cache writer, with rotation and quantisation of heads.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that is written.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory

    def write(self, fields: Mapping[str, int], rows: Rows, delay: int) -> float:
        """Write the keys and values among the rows; return the time at which all are confirmed.

        Parameters
        ----------
        fields
            Fields of the ``heads`` command.
        rows
            Rows of the linear.
        delay
            Cycles from a row to the rotary unit.
        """
        size, nodes, cache = fields["head_size"], fields["nodes"], self._config.cache
        ports = self._config.ports
        runs = [nodes * ports] * fields["full"] + [nodes * (ports // 2)] * fields["half"]
        places = fields["base"] % cache.positions + nodes
        runs.append(-(-places // cache.positions))
        factors = HeadFactors.latency(self._config.vector) + self._config.nodes
        column = Rotary.LATENCY + size // 2 + factors + QUANTISED
        normed = self._normed(size) if fields["normed"] else 0
        delay += HeadNorm.LATENCY if self._config.qk_norm else 0
        free = confirmed = 0.0
        keys = fields["query_heads"] + fields["kv_heads"]
        for head in range(fields["query_heads"], keys + fields["kv_heads"]):
            last = rows.row((head + 1) * size - 1) + delay + column + size - 1
            last += normed if head < keys else 0
            run = max(last + CacheWriter.LATENCY, free)
            for granules in runs:
                confirmed = self._memory.write(granules, run + granules + ANNOUNCED)
                run += granules + 2
            free = run + CacheWriter.OVERHEAD - 3
        return confirmed + CONFIRMED

    def _normed(self, size: int) -> int:
        """Return the cycles by which the factors of a normed head come later than its maxima."""
        vector = self._config.vector
        rotated = HeadNorm.LATENCY + size // 2 + Rotary.LATENCY
        return max(0, HeadNorm.factors_latency(vector) - rotated)


class AttentionSweeps:
    """Model of attention, one KV sweep after the other.

    The keys of a sweep come before the values of the previous one. A subclass can replay words that
    an earlier sweep has read (`reads`), to judge buffers that the accelerator does not have.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that the cache is read from.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory
        self._chain = config.dense.chain
        self._words = 0
        self._taken = 0.0  # Time of the last word taken.
        self._free = 0.0  # Time from which the engine takes a beat.
        self._loaded = 0.0  # Time from which it may begin a slice of keys.
        self._replayed = False  # The words come from a buffer.

    def reads(self, fields: Mapping[str, int], sweep: int, *, keys: bool) -> bool:
        """Return whether a sweep's keys, or its values, come from the memory."""
        return True

    def attend(self, fields: Mapping[str, int], written: float) -> float:
        """Run a layer's sweeps; return the time at which the last output leaves."""
        positions, sweeps = fields["base"] + fields["nodes"], fields["sweeps"]
        self._ask(fields, written + FIRST_RUN, positions)
        self._free = self._loaded = 0.0
        outputs = _Outputs(self._config, fields)
        scored: list[float] = []
        for sweep, keys in _order(sweeps):
            self._replayed = not self.reads(fields, sweep, keys=keys)
            if keys:
                scored.append(self._keys(fields, positions))
            else:
                self._values(fields, positions, scored[sweep], outputs)
        return outputs.last + OutputScale.LATENCY + QUEUED

    def _ask(self, fields: Mapping[str, int], time: float, positions: int) -> None:
        """Add the runs of all sweeps to the channel."""
        config, channel = self._config, self._memory.channels["cache"]
        width, tile = config.word_bytes, config.attention_unit.tile
        full, half, apart = fields["full"], fields["half"], fields["slice_words"]
        for sweep, keys in _order(fields["sweeps"]):
            if not self.reads(fields, sweep, keys=keys):
                continue
            block = fields["cache"] + sweep // fields["sweeps_per_kv_head"] * fields["head_stride"]
            runs = []
            if keys:
                for start in range(0, positions, tile):
                    count = min(tile, positions - start)
                    scales = 2 * fields["row_words"] + start * SCALES_BYTES // width
                    runs.append((scales, -(-count * SCALES_BYTES // width)))
                    if half:
                        runs.append((fields["half_at"] + start // 2, -(-count // 2)))
                    runs += [(index * apart + start, count) for index in range(full)]
            else:
                first = fields["row_words"]
                runs += [(first + index * apart, positions) for index in range(full)]
                if half:
                    runs.append((first + fields["half_at"], -(-positions // 2)))
            for address, words in runs:
                channel.add_run(block + address, words, time)
                time += 1
            time += NEXT_SWEEP

    def _keys(self, fields: Mapping[str, int], positions: int) -> float:
        """Take a sweep's scales and keys; return the time of the last beat."""
        width, tile = self._config.word_bytes, self._config.attention_unit.tile
        alone = fields["half"] and not fields["full"]
        end = self._free
        for start in range(0, positions, tile):
            count = min(tile, positions - start)
            self._take(-(-count * SCALES_BYTES // width), 0.0)
            slices = [-(-count // 2)] * fields["half"] + [count] * fields["full"]
            for words in slices:
                # A beat of two rows completes two sums if there is no other slice.
                pace = 2 if alone else 1
                begin, end = self._take(words, max(self._free, self._loaded), pace)
                self._free = end + 1
                self._loaded = begin + self._chain
        self._free = end + TOLD
        return end

    def _values(
        self, fields: Mapping[str, int], positions: int, scored: float, outputs: "_Outputs"
    ) -> None:
        """Take a sweep's values once its weights are computed and there is room for its totals."""
        dense = self._config.dense
        known = scored + dense_latency(dense) + ScoreScale.LATENCY
        weighed = known + SoftmaxWeights.LATENCY
        slices = [positions] * fields["full"] + [-(-positions // 2)] * fields["half"]
        # With half slices only, a beat needs two weights, which come one a cycle.
        pace = 2 if fields["half"] and not fields["full"] else 1
        outputs.begin(known + positions + SoftmaxWeights.LATENCY - 2)
        for words in slices:
            _, end = self._take(words, max(self._free, weighed, outputs.room()), pace)
            self._free = end + self._chain
            outputs.fill(end + totals_latency(dense))

    def _take(self, words: int, time: float, pace: float = 1) -> tuple[float, float]:
        """Take words from a time on, ``pace`` cycles apart; return first and last time."""
        channel = self._memory.channels["cache"]
        begun, left = None, words
        time = max(time, self._taken + 1)
        if self._replayed:
            self._taken = time + (words - 1) * pace
            return time, self._taken
        while left:
            step = self._memory.word("cache", self._words)
            count = min(left, step.first + step.words - self._words)
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            came = step.begins + (self._words - step.first) * spread + BEAT_LATENCY
            time = max(time, came)
            begun = time if begun is None else begun
            self._words += count
            left -= count
            self._taken = max(time + (count - 1) * pace, came + (count - 1) * spread)
            channel.take(self._words, self._taken)
            time = self._taken + pace
        return (time if begun is None else begun), self._taken


def _order(sweeps: int) -> Iterator[tuple[int, bool]]:
    """Yield each sweep's keys (True) and values (False) in the order of their words."""
    yield 0, True
    for sweep in range(sweeps):
        if sweep + 1 < sweeps:
            yield sweep + 1, True
        yield sweep, False


class _Outputs:
    """Model of reading the sweeps' totals, an element a cycle for each head slot."""

    def __init__(self, config: AcceleratorConfig, fields: Mapping[str, int]):
        self._config = config
        self._size = fields["head_size"]
        self._head_slots, self._heads = fields["head_slots"], fields["heads"]
        self._left = fields["heads"]
        self._released = [0.0] * config.dense.totals  # Times of free slices.
        self._slices: list[float] = []
        self._moved = self._prepared = 0.0
        self.last = 0.0
        """Time of the last element read."""

    def begin(self, denominators: float) -> None:
        """Begin a sweep whose denominators are offered at a time."""
        complete = max(denominators, self._moved + 1) + self._config.nodes + Inverse.LATENCY
        self._moved = max(complete, self.last)
        self._prepared = self._moved + 1
        self._slices = []

    def room(self) -> float:
        """Return the time at which there is room for the next slice."""
        return self._released[0] + 2

    def fill(self, first: float) -> None:
        """Read a slice whose first element is available at a time."""
        self._released.pop(0)
        self._slices.append(first)
        width, size = self._config.word_bytes, self._size
        number = len(self._slices) - 1
        head_slots = min(self._head_slots, self._left)
        time = max(first, self._prepared if number == 0 else self.last + 1)
        count = min(width, size - number * width)
        end = time + count - 1
        whole = len(self._slices) == -(-size // width)
        if whole:
            end += (head_slots - 1) * size
            self._left = self._left - head_slots or self._heads
        self.last = end
        # A slice is free when it is read for the last head slot.
        self._released.append(end if whole else end + (head_slots - 1) * size)
