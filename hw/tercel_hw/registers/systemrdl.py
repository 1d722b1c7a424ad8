"""Export of a register map as SystemRDL 2.0."""

from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Access, Field, Register

__all__ = ["systemrdl"]

WORDS = """
abstract accesstype addressingtype addrmap alias all alternate bit boolean bothedge byte compact
component componentwidth constraint default encode enum external false field fullalign hw inside int
internal level longint mem na negedge nonsticky number onreadtype onwritetype posedge precedencetype
property r rclr real ref reg regalign regfile rset ruser rw rw1 shortint shortreal signal signed
string struct sw this true type unsigned w w1 wclr with within woclr woset wot wr wset wuser wzc wzs
wzt
"""
RESERVED = frozenset(WORDS.split())
"""Reserved words, which need an escape as names."""
PROPERTIES = {
    Access.RO: "sw = r; hw = w;",
    Access.RW: "sw = rw; hw = r;",
    Access.W1C: "sw = rw; hw = rw; onwrite = woclr;",
    Access.PULSE: "sw = w; hw = r;",
}
PULSE = "singlepulse;"
"""Property of a bit of a pulse register; SystemRDL allows it for single bits only."""
CONSTANT = "sw = r; hw = na;"
VALUE = "value"
"""Name of the field that is all of a register without fields."""


def systemrdl(registers: RegisterMap) -> str:
    """Return the source of an address map with the registers at their offsets.

    A register of 64 bits is accessed in two words; one without fields has the field ``value``.
    """
    lines = [f"addrmap {_name(registers.name)} {{"]
    lines.append(f"  desc = {_text(f'{registers.description} {registers.WIDE}')};")
    lines += ["  default accesswidth = 32;", "  littleendian;", ""]
    for register in registers.registers:
        lines += _register(register)
    return "\n".join([*lines, "};"]) + "\n"


def _register(register: Register) -> list[str]:
    whole = Field(name=VALUE, bit=0, width=register.width, description=register.description)
    lines = ["  reg {", f"    desc = {_text(register.description)};"]
    lines.append(f"    regwidth = {register.width};")
    for field in register.fields or (whole,):
        known = register.at_reset
        reset = "" if known is None else f" = {(known & field.mask) >> field.bit:#x}"
        shown = CONSTANT if register.constant is not None else PROPERTIES[register.access]
        if register.access is Access.PULSE and field.width == 1:
            shown += f" {PULSE}"
        place = f"{_name(field.name)}[{field.bit + field.width - 1}:{field.bit}]"
        lines.append(f"    field {{ desc = {_text(field.description)}; {shown} }} {place}{reset};")
    return [*lines, f"  }} {_name(register.name)} @ {register.offset:#04x};", ""]


def _name(name: str) -> str:
    return f"\\{name}" if name in RESERVED else name


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
