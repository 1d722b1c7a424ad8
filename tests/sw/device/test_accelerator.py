"""The driver and its board; what passes compute is tested with the programs."""

import dataclasses

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device import Ask, KVCache, Timing
from tercel.device.accelerator import AcceleratorDevice
from tercel.device.board import Board
from tercel.device.registers import IDENTITY, REGISTERS, error_names
from tercel.errors import TercelError
from tercel.image import LAYOUTS, Image, random_image
from tercel.program import COMMAND_BYTES, COMMANDS, AcceleratorSpec, StripedMemory

SPEC = AcceleratorSpec(
    layout=LAYOUTS["kv260"],
    nodes=4,
    positions=48,
    hidden=64,
    columns=160,
    head_size=16,
    sweeps=4,
    slices=8,
    top_k=8,
    rows=96,
    address_width=40,
)
CAPS, SHAPE, ERROR, STATUS = (REGISTERS[name] for name in ("CAPS", "SHAPE", "ERROR", "STATUS"))
DONE = REGISTERS["STATUS_DONE_MASK"]
BASE = 0x7_0000_0000


class IdleBoard(Board):
    """An accelerator that does nothing, or fails as programmed."""

    def __init__(self, registers=None, words=1 << 14):
        layout = SPEC.layout
        ports = np.zeros((layout.ports, words * layout.port_bytes), np.uint8)
        self.memory = StripedMemory(ports, port_bytes=layout.port_bytes)
        self.fixed = {0: IDENTITY, CAPS: SPEC.caps, SHAPE: SPEC.shape, STATUS: DONE}
        self.fixed |= registers or {}
        self.written = []
        self.reported, self.stuck, self.dead = 0, False, False

    @property
    def clock_hz(self):
        return 250e6

    @property
    def bases(self):
        return tuple(BASE + 0x1000 * port for port in range(4))

    def read_register(self, offset):
        return self.reported if offset == ERROR else self.fixed.get(offset, 0)

    def write_register(self, offset, value):
        self.written.append((offset, value))

    def wait(self, timeout):
        self.timeout = timeout
        if self.stuck:
            raise TercelError("the pass takes too long")

    def reset(self):
        if self.dead:
            raise TercelError("the reset does not end")
        self.reported = 0
        self.written.append("reset")


WATCHDOG = (0x24, 1_000_000)
BASES = [
    write for port in range(4) for write in ((0x80 + 8 * port, 0x1000 * port), (0x84 + 8 * port, 7))
]


@pytest.fixture
def open_device(tiny):
    def make(board, **options):
        return AcceleratorDevice(tiny, board, spec=SPEC, **options)

    return make


def test_opening_resets_the_accelerator_and_writes_the_tape(tiny, open_device):
    board = IdleBoard()
    device = open_device(board)
    assert board.written == ["reset", WATCHDOG, *BASES]
    for segment in tiny.segments:
        words = board.read(segment.first_word, segment.words)
        assert np.array_equal(words.reshape(-1), tiny.content(segment.name))
    assert device.config == tiny.config
    assert device.length == 0
    limits = device.limits
    assert (limits.nodes, limits.context, limits.top_k) == (4, 48, 8)
    assert open_device(IdleBoard(), context=9).limits.context == 9


@pytest.mark.parametrize(
    ("rows", "most", "limit"), [(32, 32, 32), (32, 1024, 32), (64, 32, 32), (32, 0, 0), (0, 64, 0)]
)
def test_two_stage_heads_list_the_rows_of_the_model(tmp_path, rows, most, limit):
    """Draws and drafters ask for no larger top-k than a list has."""
    config = dataclasses.replace(PRESETS["tiny"], shortlist=rows, context=48)
    layout = LAYOUTS["kv260-groups"]
    random_image(tmp_path / "x.tercel", config, layout=layout)
    spec = dataclasses.replace(SPEC, layout=layout, groups=3, shortlist=most)
    board = IdleBoard({CAPS: spec.caps, SHAPE: spec.shape})
    device = AcceleratorDevice(Image.open(tmp_path / "x.tercel"), board, spec=spec)
    assert device.limits.shortlist == limit
    if limit and rows == limit:
        device.check_two_stage()
        return
    with pytest.raises(TercelError, match="two_stage needs a" if rows else "two_stage needs an im"):
        device.check_two_stage()


def test_a_model_of_version_3_is_refused_before_anything_is_written(tmp_path):
    config = dataclasses.replace(PRESETS["tiny"], qk_norm=True, context=48)
    random_image(tmp_path / "x.tercel", config)
    board = IdleBoard()
    with pytest.raises(TercelError, match="but tiny has q/k norms; take one that plays them"):
        AcceleratorDevice(Image.open(tmp_path / "x.tercel"), board, spec=SPEC)
    assert not board.written


def test_a_pass_is_a_program_and_a_start(open_device):
    board = IdleBoard()
    device = open_device(board, timeout=1.5)
    board.written.clear()
    device.run_pass([1, 2])
    (low, low_value), (high, high_value), (length, commands), start = board.written
    assert (low, high, length) == (0x28, 0x2C, 0x30)
    assert high_value == 0
    assert start == (0x10, 1)
    assert board.timeout == 1.5
    program = board.read(low_value, commands)
    assert program.shape[1] == COMMAND_BYTES
    assert program[0, 0] == COMMANDS["begin"].number
    assert program[-1, 0] == COMMANDS["end"].number
    assert not board.read(low_value + commands, 1).any()


def test_a_pass_has_the_time_of_its_cycles(open_device):
    board = IdleBoard({REGISTERS["CYCLES"]: 500_000, REGISTERS["CYCLES"] + 4: 1})
    device = open_device(board)
    result = device.run_pass([1])
    assert result.seconds == (2**32 + 500_000) / 250e6
    device.run_pass([1])
    assert device.device_seconds == 2 * result.seconds


def test_a_board_that_does_not_say_more_counts_as_a_simulation(open_device):
    device = open_device(IdleBoard())
    facts = device.facts()
    assert facts.timing is Timing.SIMULATED
    assert facts.clock_hz.value == 250e6
    assert facts.overlay_sha256.value is None
    assert device.simulation_seconds is None


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        (0x00, 0xFFFFFFFF, "id must be 0x5452434c, but is 0xffffffff: there is no tercel"),
        (0x04, 0x10203, r"version must be 0.x, but is 1.x; use the tercel that it was built"),
        (CAPS, 0x01100408, "caps must be 0x01100404, but is 0x01100408: .* take the one that"),
        (SHAPE, 128, "shape must be 0x01ff004d, but is 0x00000080"),
    ],
)
def test_another_accelerator_is_refused(open_device, register, value, message):
    board = IdleBoard({register: value})
    with pytest.raises(TercelError, match=message):
        open_device(board)
    assert not board.written


def test_memory_beyond_the_accelerators_addresses_is_refused(tiny):
    """Higher address bits of a port would be lost."""
    spec = dataclasses.replace(SPEC, address_width=34)
    with pytest.raises(TercelError, match=r"port 0 must end at 0x400000000, .* 34 address bits"):
        AcceleratorDevice(tiny, IdleBoard(), spec=spec)


def test_what_does_not_fit_is_refused(tiny, open_device):
    with pytest.raises(TercelError, match=r"context must be in 1\.\.48, .* not 49"):
        open_device(IdleBoard(), context=49)
    with pytest.raises(TercelError, match="bytes of the accelerator's memory, but it has 6400"):
        open_device(IdleBoard(words=100))
    narrow = dataclasses.replace(SPEC, columns=144)
    with pytest.raises(TercelError, match="widest input of a linear"):
        AcceleratorDevice(tiny, IdleBoard(), spec=narrow)


def test_a_reported_error_is_named_and_leaves_the_cache(open_device):
    board = IdleBoard()
    device = open_device(board)
    device.prefill([1, 2, 3])
    device.run_pass([4])
    board.written.clear()
    names = error_names(4)
    board.reported = sum(1 << names.index(name) for name in ("tape1", "code", "write3"))
    message = "reported the errors tape1, code, write3 and was reset; the cache is as before"
    with pytest.raises(TercelError, match=message):
        device.run_pass([5])
    assert board.written[4:] == ["reset", WATCHDOG, *BASES]
    assert device.length == 3
    assert device.counters.passes == 2
    with pytest.raises(TercelError, match="there is no pass to commit"):
        device.commit([0])
    device.run_pass([5])
    device.commit([0])
    assert device.length == 4


def test_a_stuck_pass_is_reset(open_device):
    board = IdleBoard()
    device = open_device(board)
    board.stuck = True
    board.written.clear()
    with pytest.raises(TercelError, match="the pass takes too long"):
        device.run_pass([5])
    assert board.written[4:] == ["reset", WATCHDOG, *BASES]
    board.reported = 1 << error_names(4).index("watchdog")
    with pytest.raises(TercelError, match="reported the errors watchdog"):
        device.run_pass([5])


def test_a_reset_that_fails_is_repeated_before_the_next_pass(open_device):
    board = IdleBoard()
    device = open_device(board)
    board.reported, board.dead = 1 << error_names(4).index("watchdog"), True
    with pytest.raises(TercelError, match="errors watchdog; the reset does not end"):
        device.run_pass([5])
    board.written.clear()
    with pytest.raises(TercelError, match=r"^the reset does not end"):
        device.run_pass([5])
    assert not board.written
    board.dead = False
    device.run_pass([5])
    assert board.written[: len(BASES) + 2] == ["reset", WATCHDOG, *BASES]
    assert board.written[-1] == (0x10, 1)


def test_a_pass_that_was_interrupted_is_reset_before_the_next(open_device, monkeypatch):
    board = IdleBoard()
    device = open_device(board)

    def interrupt(limit):
        raise KeyboardInterrupt

    monkeypatch.setattr(board, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        device.run_pass([5])
    monkeypatch.undo()
    board.written.clear()
    device.run_pass([5])
    assert board.written[0] == "reset"
    board.written.clear()
    device.run_pass([5])
    assert "reset" not in board.written


@pytest.mark.parametrize("cycles", [0, 77])
def test_the_watchdog_may_be_set(open_device, cycles):
    board = IdleBoard()
    open_device(board, watchdog=cycles / board.clock_hz)
    assert board.written[1] == (0x24, cycles)


def test_a_watchdog_beyond_its_register_is_refused(open_device):
    with pytest.raises(TercelError, match=r"watchdog must be in 0\.\.17.2 seconds, not -1"):
        open_device(IdleBoard(), watchdog=-1)


def test_a_timeout_that_never_ends_is_refused(open_device):
    for timeout in (0, float("inf")):
        with pytest.raises(TercelError, match=f"timeout must be above 0 seconds.*not {timeout}"):
            open_device(IdleBoard(), timeout=timeout)


def test_a_masked_pass_is_not_committed(open_device):
    device = open_device(IdleBoard())
    device.run_pass([1], ask=Ask(layer_mask=((True, False), (True, True))))
    device.commit([0])
    device.run_pass([1], ask=Ask(layer_mask=((False, True), (True, True))))
    with pytest.raises(TercelError, match="with the attention of every layer"):
        device.commit([0])


def test_input_is_checked_before_the_accelerator_is_touched(open_device):
    board = IdleBoard()
    device = open_device(board)
    device.run_pass([1])
    board.written.clear()
    with pytest.raises(TercelError, match="a pass takes 1 to 4 nodes, not 5"):
        device.run_pass([1, 2, 3, 4, 5])
    with pytest.raises(TercelError, match="after 0 committed positions exceed the context of 48"):
        device.prefill([1] * 49)
    assert not board.written
    device.commit([0])


def test_a_reset_forgets_the_cache(open_device):
    device = open_device(IdleBoard())
    device.prefill([1, 2, 3, 4, 5])
    device.run_pass([1])
    device.reset()
    assert device.length == 0
    with pytest.raises(TercelError, match="there is no pass to commit"):
        device.commit([0])


@pytest.fixture
def cache(tiny):
    """Ten positions of random rows."""
    cache = KVCache(config=tiny.config, positions=10)
    draw = np.random.default_rng(3)
    shape = 10, tiny.config.kv_heads, tiny.config.head_size
    for layer in range(tiny.config.layers):
        cache.write(layer, 0, *draw.normal(size=(2, *shape)).astype(np.float32))
    return cache


@pytest.mark.parametrize("length", [0, 1, 10])
def test_a_restored_cache_is_in_memory(open_device, cache, length):
    board = IdleBoard()
    device = open_device(board)
    device.prefill([1, 2, 3])
    device.run_pass([4])
    board.written.clear()
    device.restore(cache, length)
    assert not board.written
    assert device.length == length
    saved = device.save()
    assert saved.shape == (2, 2, length, 16)
    for layer in range(2):
        expected = cache.view(layer, length)
        for found in (saved.view(layer, length), device.read_cache(layer, length)):
            for field in dataclasses.fields(expected):
                a, b = (getattr(view, field.name) for view in (found, expected))
                assert a.dtype == b.dtype, field.name
                assert np.array_equal(a, b), field.name
    with pytest.raises(TercelError, match="there is no pass to commit"):
        device.commit([0])


def test_a_saved_cache_is_a_copy(open_device, cache):
    device = open_device(IdleBoard())
    device.restore(cache, 10)
    saved = device.save()
    device.restore(KVCache(config=device.config, positions=10), 10)
    assert saved.view(0, 10).keys.any()
    assert not device.save().view(0, 10).keys.any()


def test_a_restoring_that_is_interrupted_leaves_no_positions(open_device, cache, monkeypatch):
    board = IdleBoard()
    device = open_device(board)
    device.prefill([1, 2, 3])

    def interrupt(word, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(board, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        device.restore(cache, 5)
    assert device.length == 0


def test_another_models_cache_is_refused(open_device, cache):
    device = open_device(IdleBoard(), context=9)
    device.prefill([1, 2, 3])
    other = dataclasses.replace(device.config, layers=1)
    with pytest.raises(TercelError, match="a cache of tiny has 2 layers"):
        device.restore(KVCache(config=other, positions=9), 9)
    with pytest.raises(TercelError, match="10 positions exceed the context of 9"):
        device.restore(cache, 10)
    assert device.length == 3


@pytest.mark.parametrize(
    ("parents", "path"),
    [([-1, 0, 0, 2], [0, 2, 3]), ([-1, 0, 0, 0], [0, 3]), ([-1, 0, 1, 2], [0, 1])],
)
def test_a_commit_moves_the_rows_of_a_tree_path(open_device, cache, parents, path):
    board = IdleBoard()
    device = open_device(board)
    device.restore(cache, 10)
    memory = board.read(0, board.words)
    device.restore(cache, 3)
    device.run_pass([5, 6, 7, 8], parents=parents)
    board.write(0, memory)  # As if the pass had written the positions from 3 on.
    device.commit(path)
    assert device.length == 3 + len(path)
    kept = [0, 1, 2, *(3 + node for node in path)]
    for layer in range(2):
        expected, found = cache.view(layer, 10), device.read_cache(layer, len(kept))
        for field in dataclasses.fields(expected):
            rows = getattr(expected, field.name)[:, kept]
            assert np.array_equal(getattr(found, field.name), rows), field.name
