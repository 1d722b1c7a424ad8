"""The reset of every board, on registers with programmed failures."""

import pytest

from tercel.device.board import Board
from tercel.device.registers import REGISTERS
from tercel.errors import TercelError

ERROR, STATUS, BUSY = REGISTERS["ERROR"], REGISTERS["STATUS"], REGISTERS["STATUS_BUSY_MASK"]
CONTROL, RESET = REGISTERS["CONTROL"], REGISTERS["CONTROL_RESET_MASK"]
MESSAGE = "the accelerator does not come out of its reset: its memory does not answer"


class Registers(Board):
    """An accelerator in its reset, which ends in one of several waits.

    Parameters
    ----------
    errors
        Bits that come up during each wait; the reset ends in the last.
    """

    def __init__(self, errors, *, reported=0b1):
        self.coming, self.reported, self.resets = list(errors), reported, 0
        self.seen = []

    words = bases = clock_hz = property(lambda self: self.fail())
    read = write = write_port = lambda self, *_: self.fail()

    def fail(self):
        raise AssertionError("a reset is a matter of registers")

    def read_register(self, offset):
        if offset == STATUS:
            return BUSY if self.coming else 0
        assert offset == ERROR
        return self.reported

    def write_register(self, offset, value):
        if offset == CONTROL:
            assert value == RESET
            self.resets += 1
        else:
            assert offset == ERROR
            self.reported &= ~value

    def wait(self, timeout):
        assert timeout >= 250e-6
        self.seen.append(self.reported)
        self.reported |= self.coming.pop(0)


@pytest.mark.parametrize("errors", [[0], [0b100], [0b10, 0b1, 0], [0b1] * 15 + [1 << 31]])
def test_a_reset_leaves_no_error(errors):
    board = Registers(errors)
    board.reset()
    assert board.resets == 1
    assert board.seen == [0] * len(errors)
    assert board.reported == 0


def test_errors_without_end_are_named():
    with pytest.raises(TercelError, match=f"{MESSAGE}, or with errors alone"):
        Registers([0b1] * 17).reset()


def test_memory_that_does_not_answer_is_named():
    class Silent(Registers):
        def wait(self, timeout):
            raise TercelError("no end")

    with pytest.raises(TercelError, match=MESSAGE) as caught:
        Silent([0]).reset()
    assert str(caught.value.__cause__) == "no end"
