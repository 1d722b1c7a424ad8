"""Parts of a buffer are synchronised alone, with each release of pynq."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tercel.hardware.pynq_buffer import PynqPortBuffer, staggered_buffer


class Buffer(np.ndarray):
    """An array that knows where it lies, as pynq gives it."""

    device_address, bo = 0x7000_0000, 5

    def __array_finalize__(self, base):
        self.calls = getattr(base, "calls", [])

    def flush(self):
        self.calls.append(("flush", self.nbytes))

    def invalidate(self):
        self.calls.append(("invalidate", self.nbytes))

    def freebuffer(self):
        self.calls.append("freed")


@pytest.fixture
def buffer():
    return np.zeros(4096, np.uint8).view(Buffer)


def test_pynq_3_0_synchronises_views(buffer):
    part = PynqPortBuffer(buffer)
    assert part.address == 0x7000_0000
    part.flush(128, 64)
    part.invalidate(0, 256)
    part.close()
    assert buffer.calls == [("flush", 64), ("invalidate", 256), "freed"]


def test_later_ones_would_synchronise_all_so_xrt_is_given_the_part(buffer, monkeypatch):
    directions = SimpleNamespace(XCL_BO_SYNC_BO_TO_DEVICE="to", XCL_BO_SYNC_BO_FROM_DEVICE="from")
    monkeypatch.setitem(sys.modules, "pyxrt", SimpleNamespace(xclBOSyncDirection=directions))
    calls = []
    buffer.bo = SimpleNamespace(sync=lambda *arguments: calls.append(arguments))
    part = PynqPortBuffer(buffer)
    part.flush(128, 64)
    part.invalidate(0, 256)
    assert calls == [("to", 64, 128), ("from", 256, 0)]
    assert buffer.calls == []


def test_what_is_skipped_at_the_start_is_not_the_ports(buffer, monkeypatch):
    part = PynqPortBuffer(buffer, skip=1024)
    assert (part.address, len(part.content)) == (0x7000_0400, 3072)
    part.content[0] = 7
    assert buffer[1024] == 7
    part.flush(128, 64)
    assert buffer.calls == [("flush", 64)]
    directions = SimpleNamespace(XCL_BO_SYNC_BO_TO_DEVICE="to", XCL_BO_SYNC_BO_FROM_DEVICE="from")
    monkeypatch.setitem(sys.modules, "pyxrt", SimpleNamespace(xclBOSyncDirection=directions))
    calls = []
    buffer.bo = SimpleNamespace(sync=lambda *arguments: calls.append(arguments))
    part.invalidate(0, 256)
    assert calls == [("from", 256, 1024)]


@pytest.mark.parametrize("step", [1 << 20, 1 << 14, (1 << 20) + 4096, 49152])
def test_every_port_begins_in_another_bank(step):
    """The allocator may hand out any addresses."""
    handed = []

    def allocate(size):
        made = np.zeros(size, np.uint8).view(Buffer)
        made.device_address = 0x4000_0000 + step * len(handed)
        handed.append(made)
        return made

    ports = []
    for _ in range(4):
        ports.append(staggered_buffer(allocate, 5000, ports))
    banks = [(port.address >> 14) % 4 for port in ports]
    assert sorted(banks) == [0, 1, 2, 3]
    assert all(len(port.content) >= 5000 for port in ports)
    # A buffer that is not used is freed, and nothing is skipped where it is not needed.
    assert len(handed) - sum("freed" in each.calls for each in handed) == 4
    if step == 1 << 14:
        assert len(handed) == 4
