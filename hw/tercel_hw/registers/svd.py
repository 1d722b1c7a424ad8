"""Export of a register map as CMSIS-SVD."""

from xml.etree import ElementTree as Xml

from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Access, Register

__all__ = ["svd"]

ACCESS = {
    Access.RO: "read-only",
    Access.RW: "read-write",
    Access.W1C: "read-write",
    Access.PULSE: "write-only",
}


def svd(registers: RegisterMap, *, version: str, base: int = 0) -> str:
    """Return the CMSIS-SVD description of a device with one peripheral, the register map.

    Parameters
    ----------
    version
        Version of the device.
    base
        Byte address of the registers in the system.
    """
    device = Xml.Element("device", schemaVersion="1.3")
    _add(device, name=registers.name, version=version, description=registers.description)
    _add(device, addressUnitBits=8, width=32, size=32)
    peripheral = Xml.SubElement(Xml.SubElement(device, "peripherals"), "peripheral")
    _add(peripheral, name=registers.name)
    _add(peripheral, description=f"{registers.description} {registers.WIDE}")
    _add(peripheral, baseAddress=f"{base:#x}")
    block = Xml.SubElement(peripheral, "addressBlock")
    _add(block, offset=0, size=f"{registers.size:#x}", usage="registers")
    block = Xml.SubElement(peripheral, "registers")
    for register in registers.registers:
        _register(Xml.SubElement(block, "register"), register)
    Xml.indent(device)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(device, "unicode") + "\n"


def _register(into: Xml.Element, register: Register) -> None:
    _add(into, name=register.name, description=register.description)
    _add(into, addressOffset=f"{register.offset:#x}", size=register.width)
    _add(into, access=ACCESS[register.access])
    known = register.at_reset
    _add(into, resetValue=f"{known or 0:#x}")
    _add(into, resetMask=f"{0 if known is None else (1 << register.width) - 1:#x}")
    if register.access is Access.W1C:
        _add(into, modifiedWriteValues="oneToClear")
    if not register.fields:
        return
    fields = Xml.SubElement(into, "fields")
    for field in register.fields:
        each = Xml.SubElement(fields, "field")
        _add(each, name=field.name, description=field.description)
        _add(each, bitOffset=field.bit, bitWidth=field.width)


def _add(into: Xml.Element, **texts: object) -> None:
    for name, text in texts.items():
        Xml.SubElement(into, name).text = str(text)
