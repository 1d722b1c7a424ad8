"""The rules of every ``Board``, as checks of a board with a tercel accelerator and idle memory.

Each check leaves the accelerator at rest; memory and writable registers are changed.
"""

import numpy as np

from tercel.device.registers import IDENTITY, MAJOR, REGISTERS
from tercel.errors import TercelError
from tercel.program import COMMANDS

BUSY, DONE, ERROR = (REGISTERS[f"STATUS_{bit}_MASK"] for bit in ("BUSY", "DONE", "ERROR"))
ALL = 0xFFFFFFFF
PROMPT, LATE = 1e-3, 2e-5
"""Seconds of waits that end by themselves, and of waits that do not."""


def fails(function, *words):
    """The message of the TercelError that a function raises."""
    try:
        function()
    except TercelError as error:
        message = str(error)
        assert all(word in message for word in words), message
        return message
    raise AssertionError(f"no error with {words}")


def random_words(spec, count, seed=3):
    size = count, spec.layout.word_bytes
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def program(spec, *commands, caps=None):
    """Words of a program that begins as ``spec`` demands."""
    begin = COMMANDS["begin"].encode(caps=spec.caps if caps is None else caps, shape=spec.shape)
    content = b"".join((begin, *commands, COMMANDS["end"].encode()))
    return np.frombuffer(content, np.uint8).reshape(-1, spec.layout.word_bytes)


def start(board, spec, words, *, at=0, watchdog=0):
    """Write a program and start it."""
    board.write(at, words)
    commands = words.size // 64
    values = {
        REGISTERS["WATCHDOG"]: watchdog,
        REGISTERS["PROGRAM_ADDRESS"]: at & ALL,
        REGISTERS["PROGRAM_ADDRESS"] + 4: at >> 32,
        REGISTERS["PROGRAM_LENGTH"]: commands,
    }
    for port, base in enumerate(board.bases):
        values[REGISTERS["TAPE_BASE0"] + 8 * port] = base & ALL
        values[REGISTERS["TAPE_BASE0"] + 8 * port + 4] = base >> 32
    for offset, value in values.items():
        board.write_register(offset, value)
    board.write_register(REGISTERS["CONTROL"], REGISTERS["CONTROL_START_MASK"])


HANGING = COMMANDS["dump"].encode(address=0, width=1)
"""Waits for a row that nothing sends."""


def identity(board, spec):
    assert board.read_register(REGISTERS["ID"]) == IDENTITY
    assert board.read_register(REGISTERS["VERSION"]) >> REGISTERS["VERSION_MAJOR_SHIFT"] == MAJOR
    assert board.read_register(REGISTERS["CAPS"]) == spec.caps
    assert board.read_register(REGISTERS["SHAPE"]) == spec.shape
    assert board.clock_hz > 1e6


def registers(board, spec):
    """Registers keep what is written, unless they are read-only."""
    for name, value in (("WATCHDOG", 0x89ABCDEF), ("PROGRAM_LENGTH", 0x12345), ("WATCHDOG", 1)):
        board.write_register(REGISTERS[name], value)
        assert board.read_register(REGISTERS[name]) == value
    board.write_register(REGISTERS["ID"], 0)
    assert board.read_register(REGISTERS["ID"]) == IDENTITY


def memory(board, spec):
    """Every access reaches what the others wrote, from the first byte to the last."""
    content = random_words(spec, 24)
    last = board.words - len(content)
    for word in (0, 5, last):
        board.write(word, content)
        assert np.array_equal(board.read(word, len(content)), content)
    width = spec.layout.port_bytes
    for port in range(spec.layout.ports):
        part = random_words(spec, 3, seed=port).reshape(-1)[: 3 * width]
        board.write_port(port, board.words - 3, part)
        content[-3:, port * width : (port + 1) * width] = part.reshape(3, width)
    assert np.array_equal(board.read(last, len(content)), content)
    word_bytes = spec.layout.word_bytes
    first = last * word_bytes
    flat = content.reshape(-1)
    places = range(first + 4, first + 20 * word_bytes, 3 * width)
    expected = [flat[place - first :][:4] for place in places]
    assert np.array_equal(board.read_pieces(places, 4), expected)
    at = np.array([board.words * word_bytes - 4, first, first + width])
    assert np.array_equal(board.read_at(at, 4), [flat[place - first :][:4] for place in at])
    moves = [(first, first + 2 * width), (first + 5 * word_bytes, first + 3 * width)]
    board.copy_pieces(moves, width, count=2, stride=8 * word_bytes)
    for step in range(2):
        for source, target in moves:
            shift = step * 8 * word_bytes - first
            flat[target + shift :][:width] = flat[source + shift :][:width]
    assert np.array_equal(board.read(last, len(content)), content)


def borders(board, spec):
    """No access leaves the memory."""
    content = random_words(spec, 2)
    end = board.words * spec.layout.word_bytes
    before = board.read(board.words - 2, 2)
    fails(lambda: board.write(board.words - 1, content), "the memory has the words")
    fails(lambda: board.read(board.words - 1, 2), "the memory has the words")
    fails(lambda: board.write_port(0, board.words, content[0, : spec.layout.port_bytes]))
    fails(lambda: board.read_at(np.array([end]), 4))
    fails(lambda: board.read_pieces(range(end - 2, end - 1, spec.layout.port_bytes), 4))
    assert np.array_equal(board.read(board.words - 2, 2), before)


def bases(board, spec):
    """The accelerator finds the host's words at the bases, in the last words too."""
    assert len(board.bases) == spec.layout.ports
    for base in board.bases:
        assert base % spec.layout.port_bytes == 0
        assert base + board.words * spec.layout.port_bytes <= 1 << spec.address_width
    words = program(spec)
    for at in (0, 7, board.words - len(words)):
        start(board, spec, words, at=at)
        board.wait(PROMPT)
        assert board.read_register(REGISTERS["STATUS"]) & (BUSY | DONE | ERROR) == DONE


def waits(board, spec):
    """A pass that ends, again and again."""
    for _ in range(3):
        start(board, spec, program(spec))
        board.wait(PROMPT)
        assert board.read_register(REGISTERS["STATUS"]) == DONE
        assert 0 < board.read_register(REGISTERS["CYCLES"]) < 10_000
        board.wait(LATE)  # has ended already


def time_out(board, spec):
    """A pass that does not end is an error after the limit; a reset ends it."""
    start(board, spec, program(spec, HANGING))
    fails(lambda: board.wait(LATE))
    assert board.read_register(REGISTERS["STATUS"]) == BUSY
    board.reset()
    assert board.read_register(REGISTERS["STATUS"]) == 0
    waits(board, spec)


def watchdog(board, spec):
    start(board, spec, program(spec, HANGING), watchdog=500)
    board.wait(PROMPT)
    assert board.read_register(REGISTERS["STATUS"]) & ERROR
    board.reset()
    waits(board, spec)


def errors(board, spec):
    """An error ends a wait and is gone after a reset."""
    start(board, spec, program(spec, caps=1))
    board.wait(PROMPT)
    assert board.read_register(REGISTERS["STATUS"]) & ERROR
    assert board.read_register(REGISTERS["ERROR"])
    board.reset()
    assert board.read_register(REGISTERS["ERROR"]) == 0
    waits(board, spec)


def reset(board, spec):
    """A reset keeps registers and memory, and ends a pass without ``done``."""
    content = random_words(spec, 8)
    board.write(board.words - 8, content)
    start(board, spec, program(spec, HANGING), watchdog=0x7777777)
    board.reset()
    assert board.read_register(REGISTERS["STATUS"]) == 0
    assert board.read_register(REGISTERS["WATCHDOG"]) == 0x7777777
    assert np.array_equal(board.read(board.words - 8, 8), content)


CHECKS = (
    identity,
    registers,
    memory,
    borders,
    bases,
    waits,
    time_out,
    watchdog,
    errors,
    reset,
)
