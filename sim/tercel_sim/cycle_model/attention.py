"""New keys and values to the cache, and attention over all of it."""

from collections.abc import Mapping

from tercel_hw.attention.attention import attention_overhead
from tercel_hw.attention.unit_config import SCALES_BYTES
from tercel_hw.cache import CacheWriter
from tercel_hw.top import AcceleratorConfig
from tercel_hw.vector import Rotary
from tercel_hw.vector.head_factors import HeadFactors
from tercel_sim.cycle_model.engine import Rows
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Caching", "Walks"]

QUANTISED = 16
"""Cycles of the head quantiser besides those of its factors."""
ANNOUNCED = 5
"""Cycles from a run's last granule to the first beat that may be stored."""
CONFIRMED = 2
"""Cycles from the memory's answer to telling the attention."""
FIRST_RUN = 3
"""Cycles from there to the first run."""
NEXT_HEAD = 2
"""Cycles between the runs of two heads, besides one a run."""
NEXT_KEYS = 3
"""Cycles from a head's last value to the next head's first key."""
SAME_SUM = 2
"""Cycles between two additions to one sum."""
ALIGNED = 1
HELD = 2
"""Words that wait in the aligner."""
OUTPUT = 25
"""Cycles from the last value to the first output, besides those of the reciprocals."""


class Caching:
    """The heads of a pass's nodes on their way to memory.

    Parameters
    ----------
    config
        The accelerator.
    memory
        Takes them.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory

    def write(self, fields: Mapping[str, int], rows: Rows, delay: int) -> float:
        """Write the keys and values among the rows; when all is confirmed.

        Parameters
        ----------
        fields
            Of the ``heads`` command.
        rows
            Of the linear.
        delay
            Cycles from a row to the rotary unit.
        """
        size, nodes, cache = fields["head_size"], fields["nodes"], self._config.cache
        granules = nodes * size // self._config.port_bytes
        places = fields["base"] % cache.positions + nodes
        scales = -(-places // cache.positions)
        column = Rotary.LATENCY + size // 2 + HeadFactors.LATENCY + self._config.nodes + QUANTISED
        free = confirmed = 0.0
        for head in range(fields["query_heads"], fields["query_heads"] + 2 * fields["kv_heads"]):
            last = rows.row((head + 1) * size - 1) + delay + column + size - 1
            run = max(last + CacheWriter.LATENCY, free)
            self._memory.write(granules, run + granules + ANNOUNCED)
            run += granules + 2
            confirmed = self._memory.write(scales, run + scales + ANNOUNCED)
            free = run + scales + CacheWriter.OVERHEAD - 2
        return confirmed + CONFIRMED


class Walks:
    """Attention, one KV head after the other.

    Parameters
    ----------
    config
        The accelerator.
    memory
        Brings the cache.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory
        self._words = 0
        self._sorter = 0.0  # From when on the sorter takes the next word.

    def attend(self, fields: Mapping[str, int], written: float) -> float:
        """When the very last output leaves."""
        config, size, turns = self._config, fields["head_size"], fields["turns"]
        positions = fields["past"] + fields["nodes"]
        beats = -(-size // config.word_bytes)
        overhead = attention_overhead(config.attention)
        self._ask(fields, written + FIRST_RUN, positions)
        ready = values = self._sorter = 0.0
        copy = turns * max(size, config.nodes)
        for _ in range(fields["kv_heads"]):
            _, end = self._walk(ready, positions, size, beats * turns, scaled=True)
            steps = max(beats * turns, SAME_SUM)
            begin, values = self._walk(end + overhead, positions, size, steps, scaled=False)
            ready = max(values + NEXT_KEYS, begin + copy)
        return values + OUTPUT + config.nodes * turns + turns * size

    def _ask(self, fields: Mapping[str, int], time: float, positions: int) -> None:
        """Tell the channel the runs of all heads."""
        config, channel = self._config, self._memory.channels["cache"]
        width, tile = config.word_bytes, config.attention_unit.tile
        for head in range(fields["kv_heads"]):
            block = fields["cache"] + head * fields["head_stride"]
            for start in range(0, positions, tile):
                count = min(tile, positions - start)
                scales = 2 * fields["row_words"] + start * SCALES_BYTES // width
                channel.add_run(block + scales, -(-count * SCALES_BYTES // width), time)
                first = start * fields["head_size"] // width
                words = -(-count * fields["head_size"] // width)
                channel.add_run(block + first, words, time + 1)
                time += 2
            words = -(-positions * fields["head_size"] // width)
            channel.add_run(block + fields["row_words"], words, time)
            time += 1 + NEXT_HEAD

    def _walk(
        self, ready: float, positions: int, size: int, steps: int, *, scaled: bool
    ) -> tuple[float, float]:
        """First and last step over the rows, ``steps`` a row; scales come before each tile."""
        width, tile = self._config.word_bytes, self._config.attention_unit.tile
        begun, time = None, ready
        for start in range(0, positions, tile):
            count = min(tile, positions - start)
            if scaled:
                words = -(-count * SCALES_BYTES // width)
                self._sorter = self._take(words, self._sorter, words)[1] + 1
            words = -(-(start + count) * size // width) - -(-start * size // width)
            first, end = self._take(words, max(time, self._sorter + ALIGNED), count * steps)
            begun = first if begun is None else begun
            time = end + 1
            self._sorter = end - HELD * count * steps / words
        return ready if begun is None else begun, time - 1

    def _take(self, words: int, time: float, steps: int) -> tuple[float, float]:
        """Take words from a time on in so many steps; the first and the last step."""
        channel = self._memory.channels["cache"]
        begun, left = None, words
        pace = steps / words
        while left:
            step = self._memory.word("cache", self._words)
            count = min(left, step.first + step.words - self._words)
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            came = step.begins + (self._words - step.first) * spread
            time = max(time, came + 1)
            begun = time if begun is None else begun
            self._words += count
            left -= count
            last = came + (count - 1) * spread + 1
            time = max(time + count * pace, last + pace)
            channel.take(self._words, time - 1)
        return time if begun is None else begun, time - 1
