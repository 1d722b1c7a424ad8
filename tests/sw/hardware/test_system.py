import mmap
import os

import pytest

from tercel.errors import TercelError
from tercel.hardware.system import System
from tercel.hardware.uio_board import MappedRegisters


@pytest.fixture
def system(tmp_path):
    (tmp_path / "sys/class/uio").mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    return System(tmp_path)


def test_files_are_read_below_the_root(system):
    system.path("/sys/class/uio/name").write_text(" accelerator\n")
    assert system.read("/sys/class/uio/name") == "accelerator"
    assert system.read("/sys/class/uio/missing") is None
    assert System().read("/proc/self/cmdline")


def test_names_are_in_the_order_of_their_numbers(system):
    for name in ("uio10", "uio2", "uio0"):
        system.path(f"/sys/class/uio/{name}").mkdir()
    assert system.names("/sys/class/uio") == ["uio0", "uio2", "uio10"]
    assert system.names("/missing") == []


def test_registers_are_words_of_the_mapped_device(system):
    path = system.path("/dev/uio0")
    path.write_bytes(bytes(range(256)) + bytes(mmap.PAGESIZE - 256))
    registers = MappedRegisters(system.map("/dev/uio0", mmap.PAGESIZE))
    assert registers.read(0x10) == 0x13121110
    registers.write(0x10, 0xFEDCBA98)
    assert registers.read(0x10) == 0xFEDCBA98
    content = path.read_bytes()
    assert content[0x10:0x14] == bytes.fromhex("98badcfe")
    assert content[0x14:0x18] == bytes(range(0x14, 0x18))


def test_a_device_that_cannot_be_mapped(system):
    with pytest.raises(TercelError, match=r"uio7 cannot be mapped: No such file .*; run as root"):
        system.map("/dev/uio7", 4096)


def test_an_attribute_is_written_from_its_beginning(system):
    path = system.path("/sys/class/uio/sync")
    path.touch()
    attribute = system.attribute("/sys/class/uio/sync")
    attribute.write("0x1234")
    attribute.write("0x5678")
    attribute.close()
    assert path.read_text() == "0x5678"
    with pytest.raises(TercelError, match="missing cannot be written: No such file"):
        system.attribute("/missing")


def test_an_interrupt_is_that_of_the_device(system):
    os.mkfifo(system.path("/dev/uio3"))
    interrupt = system.interrupt("/dev/uio3")
    assert interrupt.wait(5)  # the pipe gives back what armed it
    interrupt.close()
