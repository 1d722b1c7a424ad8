"""Export of a register map as Python module, C header and Markdown."""

from tercel_hw.registers.map import RegisterMap
from tercel_hw.registers.register import Field, Register

__all__ = ["c_header", "markdown", "python_module"]

FEW = 10
"""Numbers below this one are written in decimal, others in hexadecimal."""


def _number(value: int) -> str:
    return str(value) if value < FEW else f"{value:#x}"


def python_module(registers: RegisterMap) -> str:
    """Return the source of a Python module with :meth:`RegisterMap.constants`."""
    lines = [f'"""Registers of {registers.name}: byte offsets; shifts and masks of fields."""', ""]
    lines += [f"{name} = {_number(value)}" for name, value in registers.constants().items()]
    return "\n".join(lines) + "\n"


def c_header(registers: RegisterMap) -> str:
    """Return the source of a C header with the same constants, prefixed by the map's name."""
    prefix = registers.name.upper()
    guard = f"{prefix}_REGISTERS_H"
    lines = [f"/* {registers.description} */", f"#ifndef {guard}", f"#define {guard}", ""]
    for register in registers.registers:
        name = f"{prefix}_{register.name.upper()}"
        lines.append(f"/* {register.access.value}: {register.description} */")
        lines.append(f"#define {name} {register.offset:#04x}u")
        suffix = "u" if register.width == 32 else "ull"
        for field in register.fields:
            field_name = f"{name}_{field.name.upper()}"
            lines.append(f"#define {field_name}_SHIFT {field.bit}u")
            lines.append(f"#define {field_name}_MASK {field.mask:#x}{suffix}")
        lines.append("")
    lines += [f"#define {prefix}_REGISTERS_SIZE {registers.size:#x}u", "", "#endif"]
    return "\n".join(lines) + "\n"


def _bits(field: Field) -> str:
    return str(field.bit) if field.width == 1 else f"{field.bit + field.width - 1}:{field.bit}"


def _rows(register: Register) -> list[str]:
    value = ""
    if register.constant is not None:
        value = f" Always `{register.constant:#x}`."
    elif register.reset:
        value = f" After reset `{register.reset:#x}`."
    head = f"| `{register.offset:#04x}` | `{register.name}` | {register.access.value} |"
    rows = [f"{head} {register.width - 1}:0 | {register.description}{value} |"]
    for field in register.fields:
        rows.append(f"| | `.{field.name}` | | {_bits(field)} | {field.description} |")
    return rows


def markdown(registers: RegisterMap) -> str:
    """Return a Markdown table of all registers and fields."""
    lines = [registers.description, ""]
    lines += ["| offset | name | access | bits | meaning |", "|---|---|---|---|---|"]
    for register in registers.registers:
        lines += _rows(register)
    return "\n".join(lines) + "\n"
