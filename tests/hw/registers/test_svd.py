"""CMSIS-SVD as ARM's parser reads it."""

import pytest

from tercel_hw.registers import Access, ControlConfig, accelerator_registers, svd

parser = pytest.importorskip("cmsis_svd.parser")

BASE = 0xA000_0000
ACCESS = {
    Access.RO: "read-only",
    Access.RW: "read-write",
    Access.W1C: "read-write",
    Access.PULSE: "write-only",
}


@pytest.fixture
def parsed(tmp_path):
    def read(registers):
        path = tmp_path / "registers.svd"
        path.write_text(svd(registers, version="1.2", base=BASE), encoding="ascii")
        return parser.SVDParser.for_xml_file(str(path)).get_device()

    return read


def test_the_parser_finds_every_register(parsed, small_map):
    for registers in (small_map, accelerator_registers(ControlConfig())):
        device = parsed(registers)
        assert (device.name, device.version) == (registers.name, "1.2")
        (peripheral,) = device.peripherals
        assert (peripheral.name, peripheral.base_address) == (registers.name, BASE)
        (block,) = peripheral.address_blocks
        assert (block.offset, block.size) == (0, registers.size)
        assert len(peripheral.registers) == len(registers.registers)
        for found, register in zip(peripheral.registers, registers.registers, strict=True):
            assert (found.name, found.address_offset, found.size) == (
                register.name,
                register.offset,
                register.width,
            )
            assert found.description == register.description
            assert found.access.value == ACCESS[register.access]
            clears = found.modified_write_values
            assert (clears is not None and clears.value == "oneToClear") == (
                register.access is Access.W1C
            )
            known = found.reset_mask != 0
            assert (found.reset_value if known else None) == register.at_reset
            assert found.reset_mask in (0, (1 << register.width) - 1)
            assert [(f.name, f.bit_offset, f.bit_width) for f in found.fields] == [
                (f.name, f.bit, f.width) for f in register.fields
            ]
