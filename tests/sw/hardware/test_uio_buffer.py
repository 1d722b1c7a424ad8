"""The numbers that the driver u-dma-buf takes: offset, size, direction and command in one."""

import numpy as np
import pytest

from tercel.hardware.uio_buffer import UioPortBuffer


class File:
    def __init__(self):
        self.written = []

    def write(self, text):
        self.written.append(text)

    def close(self):
        self.written.append("closed")


@pytest.fixture
def buffer():
    device, host = File(), File()
    content = np.zeros(4096, np.uint8)
    buffer = UioPortBuffer(
        content, address=0x7000_3000, offset=0x3000, for_device=device, for_host=host
    )
    return buffer, device, host


def test_a_flush_is_to_the_device_and_an_invalidate_from_it(buffer):
    part, device, host = buffer
    part.flush(0x40, 0x80)
    part.invalidate(0, 0x1000)
    assert device.written == ["0x0000304000000085"]
    assert host.written == ["0x0000300000001009"]
    part.close()
    assert device.written[-1] == host.written[-1] == "closed"


def test_long_parts_are_several_calls(buffer):
    """The field of the size has 28 bits."""
    part, device, _ = buffer
    part.flush(0, (1 << 28) + 64)
    assert device.written == [
        "0x0000300008000005",
        "0x0800300008000005",
        "0x1000300000000045",
    ]
