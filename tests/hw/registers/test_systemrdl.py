"""SystemRDL as PeakRDL's compiler reads it, and the IP-XACT that PeakRDL makes of it."""

import re
from xml.etree import ElementTree

import pytest

from tercel_hw.registers import (
    Access,
    ControlConfig,
    Field,
    Register,
    RegisterMap,
    accelerator_registers,
    systemrdl,
)
from tercel_hw.registers.systemrdl import RESERVED, VALUE

compiler = pytest.importorskip("systemrdl")

SOFTWARE = {Access.RO: "r", Access.RW: "rw", Access.W1C: "rw", Access.PULSE: "w"}
IPXACT = {
    Access.RO: "read-only",
    Access.RW: "read-write",
    Access.W1C: "read-write",
    Access.PULSE: "write-only",
}


@pytest.fixture
def compiled(tmp_path):
    """Compiles a map; what the compiler prints is an error of the test."""

    def read(registers):
        path = tmp_path / "registers.rdl"
        path.write_text(systemrdl(registers), encoding="ascii")
        rdl = compiler.RDLCompiler(error_flags=compiler.warnings.ALL)
        rdl.compile_file(str(path))
        return rdl.elaborate().top

    return read


def expected_fields(register):
    """Name, lowest and highest bit and value after reset of each field."""
    fields = register.fields or (
        Field(name=VALUE, bit=0, width=register.width, description=register.description),
    )
    known = register.at_reset
    for field in fields:
        reset = None if known is None else (known & field.mask) >> field.bit
        yield field.name, field.bit, field.bit + field.width - 1, reset


def test_the_compiler_finds_every_register(compiled, small_map):
    for registers in (small_map, accelerator_registers(ControlConfig())):
        top = compiled(registers)
        assert top.inst_name == registers.name
        found = list(top.registers())
        assert len(found) == len(registers.registers)
        for node, register in zip(found, registers.registers, strict=True):
            assert (node.inst_name, node.absolute_address) == (register.name, register.offset)
            assert (8 * node.size, node.get_property("accesswidth")) == (register.width, 32)
            assert node.get_property("desc") == register.description
            fields = [
                (field.inst_name, field.low, field.high, field.get_property("reset"))
                for field in node.fields()
            ]
            assert fields == list(expected_fields(register))
            for field in node.fields():
                assert field.get_property("sw").name == SOFTWARE[register.access]
                clears = field.get_property("onwrite")
                assert (clears is not None and clears.name == "woclr") == (
                    register.access is Access.W1C
                )
                assert field.get_property("singlepulse") == (
                    register.access is Access.PULSE and field.width == 1
                )
                assert field.is_hw_writable == (
                    register.access in (Access.RO, Access.W1C) and register.constant is None
                )


def test_reserved_words_and_quotes_are_escaped(compiled):
    words = sorted(RESERVED)
    groups = [words[at : at + 32] for at in range(0, len(words), 32)]
    described = 'Say "reg" \\ or not.'
    registers = [
        Register(
            name=group[0],
            offset=4 * at,
            access=Access.RW,
            description=described,
            fields=tuple(
                Field(name=word, bit=bit, description=described) for bit, word in enumerate(group)
            ),
        )
        for at, group in enumerate(groups)
    ]
    top = compiled(RegisterMap(name="field", description="All.", registers=tuple(registers)))
    found = list(top.registers())
    assert [node.inst_name for node in found] == [group[0] for group in groups]
    assert [[field.inst_name for field in node.fields()] for node in found] == groups
    assert {node.get_property("desc") for node in found} == {described}


def test_peakrdl_makes_ip_xact_of_it(compiled, tmp_path):
    """For users who want it: no file of our own, for the converter is one command away."""
    ipxact = pytest.importorskip("peakrdl_ipxact")
    registers = accelerator_registers(ControlConfig())
    path = tmp_path / "registers.xml"
    ipxact.IPXACTExporter().export(compiled(registers), str(path))
    tree = ElementTree.parse(path)
    space = re.match(r"\{.*\}", tree.getroot().tag)[0]
    found = list(tree.iter(f"{space}register"))
    assert len(found) == len(registers.registers)
    for node, register in zip(found, registers.registers, strict=True):

        def text(name, node=node):
            return node.find(f"{space}{name}").text

        assert text("name") == register.name
        assert int(text("addressOffset").replace("'h", ""), 16) == register.offset
        assert int(text("size")) == register.width
        fields = [field.find(f"{space}name").text for field in node.iter(f"{space}field")]
        assert fields == [name for name, *_ in expected_fields(register)]
        accesses = {access.text for access in node.iter(f"{space}access")}
        assert accesses == {IPXACT[register.access]}
