"""Regions of a board; that two models on one accelerator give their bits is tested on the RTL."""

import numpy as np
import pytest

from tercel.device.board import Board
from tercel.device.board_region import BoardRegion, board_regions
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError
from tercel.image import TapeLayout
from tercel.program import StripedMemory

LAYOUT = TapeLayout(ports=2, port_bytes=8, block_rows=24)
CONTROL, STATUS, ERROR = (REGISTERS[name] for name in ("CONTROL", "STATUS", "ERROR"))
START, BASE = REGISTERS["CONTROL_START_MASK"], REGISTERS["TAPE_BASE0"]


class Whole(Board):
    """Twenty words and a log of register writes."""

    words, clock_hz, bases = 20, 1e6, (0x1000, 0x2000)

    def __init__(self):
        ports = np.arange(320, dtype=np.uint16).astype(np.uint8).reshape(2, 160)
        self.memory = StripedMemory(ports, port_bytes=8)
        self.read, self.write = self.memory.read, self.memory.write
        self.write_port = self.memory.write_port
        self.status, self.log = 0, []

    def read(self, word, count):
        raise NotImplementedError

    write = write_port = read

    def read_register(self, offset):
        return self.status if offset == STATUS else offset

    def write_register(self, offset, value):
        self.log.append((offset, value))

    def wait(self, timeout):
        self.log.append(("wait", timeout))

    def end_wait(self):
        self.log.append("end")

    def reset(self):
        self.log.append("reset")
        self.status = 0


@pytest.fixture
def whole():
    return Whole()


@pytest.fixture
def parts(whole):
    return board_regions(whole, LAYOUT, [5, 12])


def test_words_and_bases_are_those_behind_the_region_before(whole, parts):
    first, second = parts
    assert (first.words, second.words) == (5, 12)
    assert first.bases == whole.bases
    assert second.bases == (0x1000 + 40, 0x2000 + 40)
    assert np.array_equal(second.read(3, 2), whole.read(8, 2))
    second.write(0, np.full((2, 16), 7, np.uint8))
    assert (whole.read(5, 2) == 7).all()
    second.write_port(1, 11, np.full(8, 9, np.uint8))
    assert whole.read(16, 1).tolist() == [[*whole.read(16, 1)[0, :8], *[9] * 8]]
    assert second.clock_hz == 1e6
    second.wait(0.5)
    second.end_wait()
    assert whole.log == [("wait", 0.5), "end"]


def test_a_word_of_another_region_is_refused(parts):
    content = np.zeros((2, 16), np.uint8)
    for region, word in ((parts[0], 4), (parts[1], 11), (parts[1], -1)):
        last = region.words - 1
        with pytest.raises(TercelError, match=rf"0\.\.{last}, not {word}\.\.{word + 1}"):
            region.read(word, 2)
        with pytest.raises(TercelError, match=rf"0\.\.{last}, not"):
            region.write(word, content)
        with pytest.raises(TercelError, match=rf"0\.\.{last}, not"):
            region.write_port(0, word, content[0])


def test_each_region_starts_with_its_own_registers(whole, parts):
    for index, region in enumerate(parts):
        region.write_register(BASE, 100 + index)
        region.write_register(REGISTERS["WATCHDOG"], 5)
    assert whole.log == []
    parts[0].write_register(REGISTERS["WATCHDOG"], 6)
    for index in (1, 0):
        whole.log.clear()
        parts[index].write_register(CONTROL, START)
        watchdog = (REGISTERS["WATCHDOG"], 6 - index)
        assert whole.log == [(BASE, 100 + index), watchdog, (CONTROL, START)]
    assert parts[0].read_register(0x44) == 0x44


def test_errors_and_resets_are_written_at_once(whole, parts):
    parts[0].write_register(ERROR, 1)
    parts[0].write_register(CONTROL, REGISTERS["CONTROL_RESET_MASK"])
    assert whole.log == [(ERROR, 1), (CONTROL, REGISTERS["CONTROL_RESET_MASK"])]


@pytest.mark.parametrize("status", ["STATUS_BUSY_MASK", "STATUS_ERROR_MASK"])
def test_a_pass_that_another_region_left_is_reset_before_a_start(whole, parts, status):
    whole.status = REGISTERS[status] | REGISTERS["STATUS_DONE_MASK"]
    parts[0].write_register(BASE, 1)
    parts[0].write_register(CONTROL, START)
    assert whole.log == ["reset", (BASE, 1), (CONTROL, START)]
    whole.status = REGISTERS["STATUS_DONE_MASK"]
    parts[0].write_register(CONTROL, START)
    assert whole.log[3:] == [(BASE, 1), (CONTROL, START)]


def test_regions_that_do_not_fit_are_refused(whole):
    with pytest.raises(TercelError, match="need 336 bytes of the accelerator's memory together"):
        board_regions(whole, LAYOUT, [9, 12])
    with pytest.raises(TercelError, match=r"in the words 0\.\.19 of the board, not in 9\.\.20"):
        BoardRegion(whole, LAYOUT, first_word=9, words=12)
