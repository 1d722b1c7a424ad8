"""Memory behind a cache: what the accelerator sees, and what the host sees of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.hardware.buffer_memory import BufferMemory
from tercel.hardware.port_buffer import LINE_BYTES, PortBuffer
from tercel.program import StripedMemory

WORDS = 64


class Cached(PortBuffer):
    """A buffer whose every line is in the host's cache."""

    def __init__(self, size):
        self.memory, self.content = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        self.address = 0

    def lines(self, first, size):
        assert first % LINE_BYTES == 0
        assert size > 0
        assert first + size <= len(self.memory)
        return slice(first, first + size)

    def flush(self, first, size):
        lines = self.lines(first, size)
        self.memory[lines] = self.content[lines]

    def invalidate(self, first, size):
        lines = self.lines(first, size)
        self.content[lines] = self.memory[lines]

    def close(self):
        pass


class System:
    """A cached memory beside a plain one, with an accelerator that writes to both."""

    def __init__(self, ports=2, port_bytes=8):
        self.buffers = [Cached(WORDS * port_bytes) for _ in range(ports)]
        self.word_bytes = ports * port_bytes
        self.cached = BufferMemory(self.buffers, port_bytes=port_bytes, words=WORDS)
        memories = [buffer.memory for buffer in self.buffers]
        self.device = StripedMemory(memories, port_bytes=port_bytes)
        plain = np.zeros((ports, WORDS * port_bytes), np.uint8)
        self.plain = StripedMemory(plain, port_bytes=port_bytes)

    def both(self, access):
        """The same access of the host on both; results must be equal, and so memory afterwards."""
        found, expected = access(self.cached), access(self.plain)
        if expected is not None:
            assert np.array_equal(found, expected)
        assert np.array_equal(self.device.read(0, WORDS), self.plain.read(0, WORDS))

    def accelerator_writes(self, word, content):
        self.device.write(word, content)
        self.plain.write(word, content)


@st.composite
def accesses(draw):
    """An access of the host, or of the accelerator if its name is ``device``."""
    kind = draw(st.sampled_from(["device", "read", "write", "port", "pieces", "at", "copy"]))
    word = draw(st.integers(0, WORDS - 1))
    return kind, word, draw(st.integers(0, WORDS - word)), draw(st.integers(0, 1 << 30))


def apply(system, access):
    kind, word, count, seed = access
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (count, system.word_bytes), np.uint8)
    first = word * system.word_bytes
    match kind:
        case "device":
            system.accelerator_writes(word, content)
        case "read":
            system.both(lambda memory: memory.read(word, count))
        case "write":
            system.both(lambda memory: memory.write(word, content))
        case "port":
            port = seed % len(system.buffers)
            part = content.reshape(-1)[: count * system.word_bytes // len(system.buffers)]
            system.both(lambda memory: memory.write_port(port, word, part))
        case "pieces":
            places = range(first, first + count * system.word_bytes, 3 * system.word_bytes // 2)
            system.both(lambda memory: memory.read_pieces(places, 4))
        case "at":
            places = rng.integers(0, WORDS * system.word_bytes // 4, count) * 4
            system.both(lambda memory: memory.read_at(places, 4))
        case "copy":
            moves = [(first, (word + 1) % WORDS * system.word_bytes)]
            system.both(
                lambda memory: memory.copy_pieces(moves, 4, count=1, stride=system.word_bytes)
            )


@given(st.lists(accesses(), max_size=8))
def test_host_and_accelerator_see_each_others_writes(steps):
    system = System()
    for step in steps:
        apply(system, step)


@pytest.mark.parametrize("missing", ["flush", "invalidate"])
def test_without_flush_or_invalidate_they_do_not(missing, monkeypatch):
    monkeypatch.setattr(Cached, missing, lambda self, first, size: None)
    system = System()
    ones = np.ones((3, system.word_bytes), np.uint8)

    def exchange():
        apply(system, ("write", 1, 3, 0))
        system.accelerator_writes(5, ones)
        apply(system, ("read", 5, 3, 0))

    with pytest.raises(AssertionError):
        exchange()


def test_a_partial_line_keeps_what_the_accelerator_wrote_beside_it():
    """The first and last line of a write hold older bytes of the host's."""
    system = System()
    system.accelerator_writes(0, np.full((WORDS, system.word_bytes), 7, np.uint8))
    system.both(lambda memory: memory.write(3, np.ones((1, system.word_bytes), np.uint8)))


def test_no_access_leaves_the_memory():
    system = System()
    content = np.zeros((2, system.word_bytes), np.uint8)
    for access in (
        lambda: system.cached.write(WORDS - 1, content),
        lambda: system.cached.read(WORDS - 1, 2),
        lambda: system.cached.read_at(np.array([WORDS * system.word_bytes]), 4),
    ):
        with pytest.raises(TercelError, match=r"the memory has the words 0\.\.63"):
            access()
