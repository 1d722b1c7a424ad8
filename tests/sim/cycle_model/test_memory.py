from itertools import accumulate

from tercel_hw.memory import RoutedReader
from tercel_hw.top import ACCELERATORS
from tercel_sim.cycle_model.memory import Memory

TINY = ACCELERATORS["tiny"]
WORD_CYCLES = 10


class SlowServer:
    """A DRAM that takes ten cycles a word, and keeps the times at which it was asked."""

    def __init__(self):
        self.requests, self.answers, self.free = [], [], 0.0

    def read(self, words, request, address=0):
        first = max(self.free, request + 50)
        self.free = first + words * WORD_CYCLES
        self.requests.append(request)
        self.answers.append((first, self.free - WORD_CYCLES))
        return self.answers[-1]


def test_a_burst_is_requested_when_the_ports_have_room_for_it():
    server = SlowServer()
    memory = Memory(TINY, server)
    memory.channels["tape"].add_run(0, 192, 0.0)
    while memory.serve():
        if memory.channels["tape"].next_step() is None:
            break
    step, buffer = TINY.burst_beats, TINY.routed.striped.reader.buffer_beats
    ends = list(accumulate([step] * len(server.requests)))
    assert buffer == 4 * step
    waited = 0
    for request, end in zip(server.requests, ends, strict=True):
        if end > buffer:
            # As many words as the buffer lacks have left the ports.
            step_of_word = (end - buffer - 1) // step
            assert request > server.answers[step_of_word][1] + RoutedReader.DATA_LATENCY
            waited += 1
    assert waited > 4
