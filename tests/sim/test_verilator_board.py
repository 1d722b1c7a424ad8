import errno
import re
from dataclasses import replace
from threading import Timer

import numpy as np
import pytest
from hindrances import FULL, full_disk, make_device
from interrupts import interrupt_after
from vcd.reader import TokenKind, tokenize

from tercel.device import PassInterruptedError, Timing
from tercel.errors import TercelError
from tercel.hardware.bank_stagger import BANK_SPAN, PORT_STAGGER
from tercel_sim import verilator_board
from tercel_sim.ddr import DDR

CYCLE = 1 / 250e6
"""Seconds, at the clock of the memory presets."""


def random_words(count, word_bytes=16, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (count, word_bytes), np.uint8)


def numbered(count, ports, data_width):
    """Words that the copier writes: the same number on every port."""
    beats = np.zeros((count, data_width // 64), "<u8")
    beats[:, 0] = np.arange(count)
    return np.tile(beats.view(np.uint8), ports)


def test_memory_is_read_as_written(boards):
    board = boards(words=100)
    words = random_words(7)
    board.write(93, words)
    assert np.array_equal(board.read(93, 7), words)
    assert not board.read(0, 93).any()
    assert board.read(100, 0).shape == (0, 16)
    assert (board.ports, board.port_bytes, board.word_bytes, board.words) == (2, 8, 16, 100)


@pytest.mark.parametrize("words", [1, 511, 512, 513, 4096])
def test_an_empty_page_lies_between_ports_whose_banks_differ(boards, words):
    board = boards(words=words)
    first, second = board.bases
    end = first + words * board.port_bytes
    assert first % 4096 == second % 4096 == 0
    assert 4096 <= second - end < 2 * 4096 + BANK_SPAN
    assert (second - first) % BANK_SPAN == PORT_STAGGER


def test_a_memory_with_banks_says_where_ports_begin(boards):
    first, second = boards(words=9, ddr=DDR["kv260-one-bank"]).bases
    assert (second - first) % BANK_SPAN == 0


@pytest.mark.parametrize("place", [-1, 4096])
def test_the_page_beside_a_port_is_outside(copier, place):
    """Beats are read and written up to the borders of a port, and not beyond."""
    driver = copier(words=4096)
    inside = 0 if place < 0 else place - 1
    driver.run("copy", 1, source=inside, target=inside)
    assert driver.get("errors") == 0
    driver.run("read", 1, source=place)
    assert driver.get("errors") == 0b0011_0011  # Decode errors of both readers.
    driver.run("write", 1, target=place)
    assert driver.get("errors") == 0b1111_1111


def test_a_board_is_none_of_another(boards):
    first, second = boards(), boards()
    first.write(0, random_words(3))
    first.run(10)
    assert not second.read(0, 3).any()
    assert second.cycles + 10 == first.cycles


@pytest.mark.parametrize(("words", "first", "count"), [(100, 101, 0), (100, 98, 3), (8, -1, 1)])
def test_words_outside_are_refused(boards, words, first, count):
    board = boards(words=words)
    with pytest.raises(TercelError, match=f"the memory has the words 0..{words - 1}"):
        board.read(first, count)
    with pytest.raises(TercelError, match=f"not {first}"):
        board.write(first, random_words(count))


def test_contents_of_another_shape_are_refused(boards):
    for content in (random_words(2, word_bytes=8), random_words(2).view(np.int8)):
        with pytest.raises(ValueError, match=r"content must be uint8 \[count, 16\]"):
            boards().write(0, content)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ddr": DDR["kv260-13.3"]},
        {"ddr": DDR["kv260-13.3"], "pause": 0.4},
        {"sustained_gbs": 1.0, "turnaround": 3, "outstanding_reads": 1, "outstanding_writes": 1},
        {"write_buffer": 1, "batch": 1, "read_ahead": 1},
    ],
    ids=["ideal", "kv260", "pauses", "slow", "narrow"],
)
def test_a_copy(copier, options):
    driver = copier(**options)
    words = random_words(500)
    driver.board.write(50, words)
    driver.run("copy", 500, source=50, target=1001)
    assert np.array_equal(driver.board.read(1001, 500), words)
    assert not driver.board.read(1501, 500).any()
    assert driver.get("errors") == 0


def test_wide_ports_carry_every_byte(copier, wide_library):
    driver = copier(library=wide_library)
    words = random_words(300, word_bytes=64)
    driver.board.write(0, words)
    driver.run("copy", 300, target=700)
    assert np.array_equal(driver.board.read(700, 300), words)


def test_strobes_choose_bytes(copier):
    driver = copier()
    before = random_words(40)
    driver.board.write(0, before)
    driver.trouble("sparse")
    driver.run("write", 40)
    found = driver.board.read(0, 40)
    assert np.array_equal(found[:, ::2], before[:, ::2])
    assert np.array_equal(found[:, 1::2], numbered(40, 2, 64)[:, 1::2])


def test_a_start_is_remembered(copier):
    driver = copier()
    assert driver.board.started == 0
    driver.start("copy", 10)  # The bit that starts a pass of an accelerator.
    assert driver.board.started == driver.board.cycles > 0
    began = driver.board.started
    driver.board.wait(1000 * CYCLE)
    driver.start("read", 10)
    driver.set("source", 1)
    assert driver.board.started == began


def test_the_time_of_simulating_is_counted(copier, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(verilator_board, "perf_counter", lambda: next(clock))
    board = copier().board
    before = board.simulation_seconds
    board.run(10)
    board.write_register(0x10, 0)
    board.read_register(0x10)
    assert board.simulation_seconds == before + 3
    board.write(0, random_words(1))  # memory is the host's own
    assert board.simulation_seconds == before + 3


def test_facts_of_a_simulation(boards):
    facts = boards(words=4, ddr=replace(DDR["kv260-15.0"], clock_mhz=100.0)).facts()
    assert facts.timing is Timing.SIMULATED
    assert facts.clock_hz.value == 100e6
    # Two ports of 64 bits are slower than the memory.
    assert facts.memory_peak.value == 2 * 8 * 100e6
    slow = boards(words=4, ddr=replace(DDR["kv260-15.0"], sustained_gbs=0.5)).facts()
    assert slow.memory_peak.value == 0.5e9


def test_the_interrupt_ends_a_wait(copier):
    driver = copier()
    driver.start("write", 10)
    assert not driver.board.interrupt
    driver.board.wait_interrupt(1000 * CYCLE)
    assert driver.board.interrupt
    assert np.array_equal(driver.board.read(0, 11), np.vstack([numbered(10, 2, 64), [[0] * 16]]))


def test_a_limit_is_kept_and_named(copier):
    driver = copier()
    driver.start("read", 4000)
    before = driver.board.cycles
    with pytest.raises(TercelError, match="the pass did not end within 1000 cycles"):
        driver.board.wait(1000 * CYCLE)
    assert 1000 <= driver.board.cycles - before < 1010
    with pytest.raises(TercelError, match="no interrupt within 50 cycles"):
        driver.board.wait_interrupt(50 * CYCLE)
    driver.board.wait(10_000 * CYCLE)


def test_a_reset_drops_what_is_under_way(copier):
    driver = copier(ddr=DDR["kv260-13.3"])
    words = random_words(300)
    driver.board.write(0, words)
    driver.start("copy", 300, target=1000)
    driver.board.run(100)
    driver.board.restart()
    assert driver.get("status") == driver.get("beats") == 0
    driver.run("copy", 300, target=2000)
    assert np.array_equal(driver.board.read(2000, 300), words)
    assert np.array_equal(driver.board.read(0, 300), words)


def test_a_port_that_does_not_answer_is_named(copier):
    driver = copier()
    driver.trouble("deaf")
    with pytest.raises(TercelError, match="reading register 0x14: the control port does not"):
        driver.get("status")


def test_a_broken_rule_of_axi_is_named(copier):
    driver = copier()
    driver.trouble("fixed")
    driver.start("read", 100, ports=0b10)
    with pytest.raises(TercelError, match=r"port 1 before cycle \d+: a burst is not INCR"):
        driver.board.wait(1000 * CYCLE)


@pytest.mark.parametrize(
    "call",
    [
        lambda board: board.run(1),
        lambda board: board.wait(1000 * CYCLE),
        lambda board: board.wait_interrupt(1000 * CYCLE),
        lambda board: board.read_register(0x14),
        lambda board: board.write_register(0x1C, 5),
    ],
    ids=["run", "wait", "interrupt", "read", "write"],
)
@pytest.mark.parametrize("cycles", [0, 200])
def test_every_call_names_a_broken_rule(copier, call, cycles):
    """Both the one in which it is broken and all that follow."""
    driver = copier()
    driver.trouble("fixed")
    driver.start("read", 100)
    if cycles:
        with pytest.raises(TercelError, match="port 0 before cycle"):
            driver.board.run(cycles)

    def calls():
        for _ in range(20):
            call(driver.board)

    with pytest.raises(TercelError, match=r"port 0 before cycle \d+: a burst is not INCR"):
        calls()


def test_waves_of_a_window(copier, tmp_path):
    driver, path = copier(), tmp_path / "waves.vcd"
    first = driver.board.cycles + 100
    driver.board.waves(path, first=first, end=first + 20)
    driver.run("copy", 200, target=1000)
    assert "m_axi_mem1_rdata" in path.read_text()
    found = stamps(path)
    assert (found[0], found[-1]) == (2000 * 2 * first, 2000 * (2 * first + 39))
    with path.open("rb") as file:  # By a reader that follows the grammar.
        declared = [
            token for token in tokenize(file) if token.kind in (TokenKind.VAR, TokenKind.SCOPE)
        ]
    names = [
        token.var.reference if token.kind is TokenKind.VAR else token.scope.ident
        for token in declared
    ]
    assert len(names) > 100
    # The words of a small memory are its name and their numbers.
    assert all(re.fullmatch(r"[A-Za-z_]\w*(\[\d+\])?", name) for name in names)


def stamps(path):
    return [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]


@pytest.mark.parametrize(
    ("clock_mhz", "half_ps"), [(250.0, 2000), (300.0, 1666.6665), (0.5, 10**6)]
)
def test_the_time_of_waves_is_the_clocks(copier, tmp_path, clock_mhz, half_ps):
    driver, path = copier(clock_mhz=clock_mhz), tmp_path / "waves.vcd"
    driver.board.waves(path, first=0, end=1 << 63)
    driver.board.run(1000)
    cycles = driver.board.cycles
    driver.board.close()
    assert "$timescale 1ps $end" in path.read_text()
    found = stamps(path)
    assert len(found) == 2 * 1000
    assert found[-1] == pytest.approx((2 * cycles - 1) * half_ps, abs=1)
    assert {*np.diff(found)} <= {int(half_ps), int(half_ps) + 1}


def test_waves_end_where_another_begins(copier, tmp_path):
    board = copier().board
    for name in ("first", "second"):
        board.waves(tmp_path / name, first=0, end=1 << 63)
        board.run(10)
    board.close()
    assert stamps(tmp_path / "first")[-1] < stamps(tmp_path / "second")[0]


def test_waves_onto_a_full_disk_end_the_run(copier, tmp_path):
    driver, path = copier(), tmp_path / "full"
    make_device(path, FULL)

    def write():
        driver.board.waves(path, first=0, end=1 << 63)
        driver.run("copy", 1000, target=1000)

    with pytest.raises(OSError, match=r"No space left on device: '.*/full'") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left on device"):
        driver.board.run(1)


def test_waves_beyond_the_limit_of_files_end_the_run(copier, tmp_path):
    driver = copier()
    with full_disk(after=100_000):
        driver.board.waves(tmp_path / "waves.vcd", first=0, end=1 << 63)
        with pytest.raises(OSError, match="File too large"):
            driver.run("copy", 1000, target=1000)


@pytest.mark.parametrize("ending", [lambda board: board.run(1), lambda board: board.close()])
def test_waves_that_fail_at_their_end_are_told(copier, tmp_path, ending):
    """Buffered waves are written when the window ends or the board is closed."""
    board, path = copier().board, tmp_path / "waves.vcd"
    board.waves(path, first=board.cycles, end=board.cycles + 2)
    board.run(2)  # the first values fill the buffer; what changes after them stays in it
    with full_disk(after=path.stat().st_size):
        with pytest.raises(OSError, match="File too large"):
            ending(board)


def test_waves_need_their_folder(copier, tmp_path):
    with pytest.raises(OSError, match=r"No such file or directory: '.*waves\.vcd'"):
        copier().board.waves(tmp_path / "no" / "waves.vcd", first=0, end=1)


@pytest.mark.parametrize(
    ("method", "cycle"), [("run", 1), ("wait", CYCLE), ("wait_interrupt", CYCLE)]
)
def test_ctrl_c_is_answered_while_the_clock_runs(copier, method, cycle):
    driver = copier(sustained_gbs=0.001)
    driver.start("read", 4000)
    began = driver.board.cycles
    with interrupt_after(0.3), pytest.raises(KeyboardInterrupt):
        getattr(driver.board, method)((1 << 40) * cycle)
    assert driver.board.cycles > began
    driver.board.run(10)


def test_a_wait_can_be_interrupted(copier):
    driver = copier(sustained_gbs=0.001)
    driver.start("read", 4000)
    driver.board.end_wait()  # Nothing is under way.
    timer = Timer(0.2, driver.board.end_wait)
    timer.start()
    with pytest.raises(PassInterruptedError):
        driver.board.wait((1 << 40) * CYCLE)
    timer.join()
    driver.board.run(1000)


def test_slices_change_no_cycle(copier, monkeypatch):
    taken = []
    for cycles in (1, 7, 1 << 40):
        monkeypatch.setattr("tercel_sim.verilator_board.SLICE_CYCLES", cycles)
        driver = copier(ddr=DDR["kv260-13.3"])
        driver.run("copy", 500, target=1000)
        driver.board.run(1000)
        driver.start("read", 300)
        driver.board.wait_interrupt(10_000 * CYCLE)
        taken.append(driver.board.cycles)
    assert len({*taken}) == 1


def test_waves_must_be_built(boards, wide_library, tmp_path):
    with pytest.raises(TercelError, match="build it with waves=True"):
        boards(library=wide_library).waves(tmp_path / "waves.vcd", first=0, end=1)
