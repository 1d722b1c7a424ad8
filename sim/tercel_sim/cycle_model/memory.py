"""The model of the memory system: channels, merge and striped reader."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable

from tercel_hw.memory import CommandMerge, RoutedReader
from tercel_hw.memory.reader import ANSWERED
from tercel_hw.top import AcceleratorConfig
from tercel_hw.top.config import CHANNELS
from tercel_hw.top.memory_system import channel_config
from tercel_sim.cycle_model.channel import Channel, Step
from tercel_sim.cycle_model.dram_queue import DramQueue

__all__ = ["Memory"]

TAKE_CYCLES = 2
"""Cycles between two runs that the striped reader takes."""
WAITING = 3
"""Steps that a reader has taken and not requested while its buffer has no room for them."""
RETURNED = 3
"""Cycles from a word that leaves the ports' buffers to the request that replaces it."""


class Memory:
    """Serves the steps of all channels in the order of merge and reader.

    Parameters
    ----------
    config
        Parameters of the accelerator.
    server
        Model of its DRAM.
    """

    def __init__(self, config: AcceleratorConfig, server: DramQueue):
        self._server = server
        self.channels = {name: Channel(channel_config(config, name)) for name in CHANNELS}
        self._ports = config.ports
        self._taken = 0.0  # Time at which the reader took the last step.
        self._under_way: deque[float] = deque([0.0] * config.routed.runs)
        self._open: deque[float] = deque([0.0] * config.outstanding_reads)  # Bursts of a port.
        self._buffer = config.routed.striped.reader.buffer_beats
        self._requested: deque[float] = deque([0.0] * WAITING)
        # Words of all steps so far, and the times at which a step's first and last leave the ports.
        self._words, self._passed = [0], [(0.0, 0.0)]
        self.words_read = 0
        self.beats_written = 0
        self.before_step: Callable[[float], bool] = lambda time: False
        """Called with the time of the next step; returns True if it added runs."""

    def word(self, name: str, word: int) -> Step:
        """Return the step of a channel's word; all runs before it must be known."""
        channel = self.channels[name]
        while channel.arrived <= word:
            self.serve()
        return channel.step(word)

    def serve(self, until: float = float("inf")) -> bool:
        """Serve the earliest step, on a tie the most urgent; return False if there is none in time.

        Raises
        ------
        RuntimeError
            If no step is ever requested.
        """
        while True:
            best = None
            for channel in self.channels.values():
                step = channel.next_step()
                if step is None:
                    continue
                time = max(step[1], self._taken)
                if best is None or time < best[0]:
                    best = (time, channel, step[0], step[2])
            time = min(best[0] if best else until, until)
            if self.before_step(time):
                continue
            if best and best[0] <= until:
                self._serve(*best)
                return True
            if until == float("inf"):
                raise RuntimeError("nobody asks for words, but some are waited for")
            return False

    def write(self, granules: int, ready: float) -> float:
        """Write granules that reach the ports at a time; return the time of confirmation."""
        while self.serve(ready - RoutedReader.LATENCY):
            pass
        self.beats_written += granules
        return self._server.write(granules, ready)

    def _serve(self, time: float, channel: Channel, words: int, address: int) -> None:
        self._taken = max(
            time + CommandMerge.LATENCY,
            self._taken + TAKE_CYCLES,
            self._under_way.popleft() + 1,
            self._requested.popleft(),
        )
        channel.ask(words, time)
        requested = max(
            self._taken + RoutedReader.LATENCY,
            self._open.popleft() + ANSWERED,
            self._room(words),
        )
        self._requested.append(requested)
        first, last = self._server.read(words, requested, address)
        self._open.append(last)
        first, last = first + RoutedReader.DATA_LATENCY, last + RoutedReader.DATA_LATENCY
        self._words.append(self._words[-1] + words)
        self._passed.append((first, last))
        self._under_way.append(last)
        channel.arrive(first, last, words)
        self.words_read += words

    def _room(self, words: int) -> float:
        """Return the time from which the ports' buffers have room for the next step's words."""
        count = self._words[-1] + words - self._buffer
        if count <= 0:
            return 0.0
        index = bisect_left(self._words, count)
        (first, last), step = self._passed[index], self._words[index] - self._words[index - 1]
        behind = self._words[index] - count
        return last - behind * (last - first) / max(1, step - 1) + RETURNED
