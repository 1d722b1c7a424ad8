"""A pseudo terminal in place of a UIO device: it is armed by a write and readable on an event."""

import os
import struct
import tty
from pathlib import Path

import pytest

from tercel.errors import TercelError
from tercel.hardware.interrupt import UioInterrupt


@pytest.fixture
def device():
    """The kernel's end, and the interrupt."""
    kernel, user = os.openpty()
    tty.setraw(user)
    interrupt = UioInterrupt(Path(os.ttyname(user)))
    yield kernel, interrupt
    interrupt.close()
    os.close(kernel)
    os.close(user)


def test_an_event_ends_the_wait(device):
    kernel, interrupt = device
    for number in (1, 2):
        os.write(kernel, struct.pack("=i", number))
        assert interrupt.wait(5)
        assert struct.unpack("=i", os.read(kernel, 4)) == (1,)  # it was armed
    assert not interrupt.wait(0.001)


def test_without_an_event_the_wait_ends_in_time(device):
    _, interrupt = device
    assert not interrupt.wait(0.001)


def test_a_device_that_is_missing(tmp_path):
    with pytest.raises(TercelError, match="uio7 cannot be opened: No such file"):
        UioInterrupt(tmp_path / "uio7")
