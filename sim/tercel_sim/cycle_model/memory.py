"""The way from the memory to the channels."""

from collections import deque
from collections.abc import Callable

from tercel_hw.memory import AxiReader, CommandMerge, StripedReader
from tercel_hw.top import AcceleratorConfig
from tercel_hw.top.config import CHANNELS
from tercel_hw.top.memory_system import channel_config
from tercel_sim.cycle_model.channel import Channel, Step
from tercel_sim.cycle_model.dram_queue import DramQueue

__all__ = ["Memory"]

TAKE_CYCLES = 2
"""Between two runs that the striped reader takes."""


class Memory:
    """Serves the steps of all channels as the merge and the reader take them.

    Parameters
    ----------
    config
        The accelerator.
    server
        Its memory.
    """

    def __init__(self, config: AcceleratorConfig, server: DramQueue):
        self._server = server
        self.channels = {name: Channel(channel_config(config, name)) for name in CHANNELS}
        self._ports = config.ports
        self._taken = 0.0  # When the reader took the last step.
        self._under_way: deque[float] = deque([0.0] * config.routed.runs)
        self.words_read = 0
        self.beats_written = 0
        self.before_step: Callable[[float], bool] = lambda time: False
        """Told when the next step is asked for; true if it asked for words itself."""

    def word(self, name: str, word: int) -> Step:
        """The step that brings a word of a channel, of which all runs before are known."""
        channel = self.channels[name]
        while channel.arrived <= word:
            self.serve()
        return channel.step(word)

    def serve(self, until: float = float("inf")) -> bool:
        """Serve the step that is asked for first, of several the most urgent; whether there is one.

        Raises
        ------
        RuntimeError
            If none is ever asked for.
        """
        while True:
            best = None
            for channel in self.channels.values():
                step = channel.next_step()
                if step is None:
                    continue
                time = max(step[1], self._taken)
                if best is None or time < best[0]:
                    best = (time, channel, step[0])
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
        """When a run of granules is confirmed that reaches the ports then."""
        while self.serve(ready - StripedReader.LATENCY):
            pass
        self.beats_written += granules
        return self._server.write(granules, ready)

    def _serve(self, time: float, channel: Channel, words: int) -> None:
        self._taken = max(
            time + CommandMerge.LATENCY, self._taken + TAKE_CYCLES, self._under_way.popleft() + 1
        )
        channel.ask(words, time)
        first, last = self._server.read(words, self._taken + StripedReader.LATENCY)
        first, last = first + AxiReader.DATA_LATENCY, last + AxiReader.DATA_LATENCY
        self._under_way.append(last)
        channel.arrive(first, last, words)
        self.words_read += words
