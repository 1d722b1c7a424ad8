"""Parts of a buffer are synchronised alone, with each release of pynq."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tercel.hardware.pynq_buffer import PynqPortBuffer


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
