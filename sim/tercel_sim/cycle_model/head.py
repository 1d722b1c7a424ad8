"""The cycles of a head sweep and of the lines for the host."""

from collections.abc import Mapping

import numpy as np

from tercel.image.layout import ROW_BLOCK
from tercel.numerics.shortlist import DEPTH
from tercel_hw.attention.datapath import BEAT_LATENCY
from tercel_hw.dense import dense_latency
from tercel_hw.head import ExponentialSum, HeadUnit, ListFetch, Shortlist
from tercel_hw.head.exponent_scale import ExponentScale
from tercel_hw.head.lane_logits import QUEUE_ROWS, LaneLogits
from tercel_hw.head.list_fetch import TILE_SLICES
from tercel_hw.head.list_reader import ListReader
from tercel_hw.head.top_k import PLACES
from tercel_hw.top import AcceleratorConfig, WordRouter
from tercel_sim.cycle_model.engine import Rows
from tercel_sim.cycle_model.memory import Memory

__all__ = ["Head", "Lines"]

ASKED = 2
"""Cycles from the vector's last element to the sweep, and from the sweep to the first word."""
ALIGNED = 1
ROOM = QUEUE_ROWS // ROW_BLOCK + 1
"""Row blocks whose sums can wait, in the head's queue and the dense engine's."""
SCALED = 11
"""Cycles from the scales to the first logit that is taken, without one for each lane."""
SHOWN = 5
"""Cycles from the last logit to the summary's first word, without the lines' latency."""
DROPPED = 4
"""Cycles from the last row's sums to the end of the sweep if the row is padding."""
WRITTEN = 3
"""Cycles from a line to its first granule."""
STORED = 5
"""Cycles from the last granule to the beat at the memory."""
QUEUED = 3
"""Cycles from a row of the engine to the shortlist."""
LENT = 6
"""Cycles from the last sum of a group of listed rows to the first word of the next one."""


class Lines:
    """Model of the writer of result lines.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that is written.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._granules = config.results.line_granules
        self._burst = config.burst_beats * config.ports
        self._memory = memory

    def write(self, lines: int, first: float, last: float) -> float:
        """Write lines that arrive from ``first`` to ``last``; return the time of confirmation."""
        count = lines * self._granules
        pace = max(1.0, (last - first) / max(1, lines - 1) / self._granules)
        confirmed = first
        for start in range(0, count, self._burst):
            granules = min(self._burst, count - start)
            last = first + (start + granules - 1) * pace
            confirmed = self._memory.write(granules, last + WRITTEN + STORED)
        return confirmed


class Head:
    """Model of a sweep over the rows of the vocabulary.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    memory
        The memory that the tape is read from.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory):
        self._config = config
        self._memory = memory
        self._lines = Lines(config, memory)

    def sweep(
        self,
        fields: Mapping[str, int],
        *,
        columns: int,
        begins: float,
        scaled: float,
        before: int,
        words: int,
    ) -> float:
        """Run a sweep; return the time at which the summary is confirmed and all rows are read.

        Parameters
        ----------
        fields
            Fields of the ``head`` command.
        columns
            Number of columns of the row.
        begins
            Time at which the first column is offered.
        scaled
            Time at which the scales of the lanes are offered.
        before, words
            Words of the tape before the head, and of the head.
        """
        blocks, nodes = fields["rows"] // ROW_BLOCK, fields["nodes"]
        size = words // blocks
        latency = ALIGNED + BEAT_LATENCY + dense_latency(self._config.dense)
        time = begins + columns + ASKED
        left = [0.0] * ROOM  # Times at which the sums of the last blocks left the queue.
        ready = self._ready(fields, scaled)
        for block in range(blocks):
            # There is room for its last rows when an earlier block's have left.
            begun = max(time, left[0] - latency - size)
            time = self._take(begun, before + block * size, size)
            rows = range(block * ROW_BLOCK, min((block + 1) * ROW_BLOCK, fields["limit"]))
            cycles = sum(row_cycles(row, fields) for row in rows)
            # Rows end one by one with their last slice.
            last = time + latency - 1 - (ROW_BLOCK - len(rows))
            first = last - (len(rows) - 1)
            begun = max(left[-1], first, ready)
            left = [*left[1:], max(begun + cycles, last + nodes)]
        # Dropping the rows of padding may end later.
        return max(self._summarise(fields, left[-1]), time + latency + DROPPED)

    def play(self, fields: Mapping[str, int], rows: Rows, *, delay: int, scaled: float) -> float:
        """Take the rows of a ternary head; return the time at which the summary is confirmed.

        Parameters
        ----------
        rows
            Times at which the sums of the rows leave the engine.
        delay
            Cycles from those to the head.
        scaled
            Time at which the scales of the lanes are offered.
        """
        left = self._ready(fields, scaled)
        for row in range(fields["limit"]):
            left = max(left, rows.row(row) + delay) + row_cycles(row, fields)
        ends = rows.last + delay
        return max(self._summarise(fields, max(left, ends)), ends + DROPPED)

    def list(
        self,
        fields: Mapping[str, int],
        rows: Rows,
        *,
        delay: int,
        scaled: float,
        before: int,
        listed: int | None,
    ) -> float:
        """Run a two-stage head; return the time at which the summary is confirmed.

        Parameters
        ----------
        rows
            Times at which the sums of the shortlist's rows leave the engine, one each ``nodes``
            cycles.
        delay
            Cycles from those to the head.
        scaled
            Time at which the scales of the lanes are offered.
        before
            Words of the tape before those of listed rows.
        listed
            Rows that some node lists; None: the most, no row for two nodes.
        """
        nodes, limit, slices = fields["nodes"], fields["limit"], fields["slices"]
        mine = min(DEPTH * fields["buckets"], limit)
        count = min(nodes * mine, limit) if listed is None else listed
        ends = rows.last + delay + QUEUED + Shortlist.WRITE
        found = nodes + Shortlist.PASS
        pace = found * (1 + min(fields["buckets"], limit) / count)
        self._request(fields, count, ends + 2 * found, pace)
        latency = ALIGNED + BEAT_LATENCY + dense_latency(self._config.dense)
        came, time, word, left = 0.0, 0.0, before, self._ready(fields, scaled)
        least = self._config.dense.chain  # A slice's rows take as many cycles at least.
        for start in range(0, count, ROW_BLOCK):
            size = min(ROW_BLOCK, count - start)
            came = self._take(came, word, size * (slices + 1))
            word += size * (slices + 1)
            # The last tile is played when its last word has come.
            tile = (slices - 1) % TILE_SLICES + 1
            time = max(time + slices * max(size, least), came + ListReader.LATENCY + tile * size)
            first = time + latency - size
            group = range(start, start + size)
            cycles = sum(listed_cycles(row, mine / count, fields) for row in group)
            left = max(max(left, first) + cycles, time + latency - 1 + nodes)
            time += latency + LENT
        return self._summarise(fields, left)

    def _request(self, fields: Mapping[str, int], count: int, first: float, pace: float) -> None:
        """Request the words of listed rows, from the time at which the first leaves the shortlist.

        The rows are spread over all of them without order, as their scores are.
        """
        limit, slices = fields["limit"], fields["slices"]
        rows = np.random.default_rng(0).permutation(limit)[:count]
        config, channel = self._config.head_unit, self._memory.channels["tape"]
        block_words = config.scale_words + ROW_BLOCK * slices
        asked = 0.0
        for start in range(0, count, ROW_BLOCK):
            group = rows[start : start + ROW_BLOCK]
            gathered = first + (start + len(group) - 1) * pace + ListFetch.LATENCY
            asked = max(gathered, asked + ListFetch.BETWEEN)
            blocks = fields["address"] + group // ROW_BLOCK * block_words
            places = group % ROW_BLOCK
            words = [blocks + places // config.word_scales]
            words += [blocks + config.scale_words + ROW_BLOCK * s + places for s in range(slices)]
            by_row = np.stack(words, axis=1)
            # The scale of each row comes with its words of the first tile.
            for tile in np.split(by_row, range(TILE_SLICES + 1, slices + 1, TILE_SLICES), axis=1):
                for address in tile.reshape(-1).tolist():
                    channel.add_run(address, 1, asked)
                    asked += 1

    @staticmethod
    def _ready(fields: Mapping[str, int], scaled: float) -> float:
        """Return the time from which rows may leave their queue.

        Base-2 logits need the scales: until then only the pipeline of the logits is filled.
        """
        return scaled + fields["nodes"] + SCALED - LaneLogits.LATENCY if fields["sums"] else 0.0

    def _summarise(self, fields: Mapping[str, int], left: float) -> float:
        """Write the summary after the time of the last row; return the time of confirmation."""
        nodes = fields["nodes"]
        logits = left + HeadUnit.LATENCY - nodes + SHOWN
        if fields["sums"]:
            logits += ExponentScale.LATENCY - 1 + ExponentialSum.LANE_CYCLES * nodes
        ranks = min(fields["limit"], fields["top_k"])
        lines = 1 + 2 * fields["argmax"] + 3 * fields["sums"] + 2 * ranks
        first = logits + 2 * nodes
        return self._lines.write(lines, first, first + (lines - 1) * nodes)

    def _take(self, time: float, word: int, count: int) -> float:
        """Take words of the tape, at most one a cycle; return the time after the last."""
        channel, end = self._memory.channels["tape"], word + count
        while word < end:
            step = self._memory.word("tape", word)
            count = min(end, step.first + step.words) - word
            spread = (step.ends - step.begins) / max(1, step.words - 1)
            came = step.begins + (word - step.first) * spread + WordRouter.LATENCY
            time = max(max(time, came) + count, came + (count - 1) * spread + 1)
            word += count
            channel.take(word + WordRouter.QUEUE, time - 1)
        return time


def row_cycles(row: int, fields: Mapping[str, int]) -> float:
    """Return the cycles that a row takes in the head, on average over all orders of rows.

    A logit that enters its top-k list takes three more, and one for each word that it moves up.
    """
    top_k = -(-max(fields["top_k"], fields["argmax"]) // PLACES) * PLACES
    enters = min(1.0, top_k / (row + 1))
    words = -(-min(row + 1, top_k) // PLACES)
    return fields["nodes"] * (1 + enters * (3 + (words - 1) / 2))


def listed_cycles(row: int, part: float, fields: Mapping[str, int]) -> float:
    """Return the cycles that a listed row takes in the head, on average.

    Parameters
    ----------
    row
        Number of the row in the list.
    part
        Part of the rows that a lane lists.
    """
    nodes = fields["nodes"]
    # The lanes up to the highest one that lists the row.
    lanes = sum(1 - (1 - part) ** (nodes - lane) for lane in range(nodes))
    one = row_cycles(int(row * part), {**fields, "nodes": 1})
    return max(1.0, lanes) + nodes * part * (one - 1)
