"""Verilog and RTLIL of components with flat port names, the same text in every run."""

import re

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil  # pyright: ignore (the stubs lack it)
from amaranth.lib import wiring

from tercel_hw.identifiers import plain_identifiers
from tercel_hw.memory.ports import flat_ports
from tercel_hw.target import Target

__all__ = ["emit_rtlil", "emit_verilog"]

MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
ULTRA = re.compile(r'^  attribute \\ram_style "ultra"\n  memory [^\n]* \\(\S+)$', re.MULTILINE)
INIT = re.compile(
    r'^  cell \$meminit_v2 [^\n]*\n    parameter \\MEMID "\\\\(\S+)"\n.*?^  end\n',
    re.MULTILINE | re.DOTALL,
)
STYLE = re.compile(r'^  attribute \\ram_style "[^\n]*\n', re.MULTILINE)
NOTHING = re.compile(r"^  wire \[-1:0\] [^\n]*;\n", re.MULTILINE)
"""A wire of width 0, which Verilog reads as two bits; nothing is connected to it."""
START = re.compile(r"\\\$auto\$verilog_backend\S*:dump_module\$\d+ ")
"""A module's constant register: Yosys makes every combinational process read it."""
AT_START = "\\at.start "
INITIAL = re.compile(
    r"^(  reg (?:signed )?(?:\[[^\n]*?\] )?)(\\\S+ |\w+) = ([^\n]*;)$", re.MULTILINE
)


def emit_rtlil(component: wiring.Component, name: str, *, target: Target = Target.PORTABLE) -> str:
    """Return the RTLIL of a component for a target, without paths of source files.

    Amaranth initialises memories with zeros. UltraRAM cannot be initialised, and no word of it is
    read before it was written, so the zeros are left out for UltraRAM.
    """
    ports = flat_ports(component)
    text = rtlil.convert(component, name=name, platform=target, ports=ports, emit_src=False)
    return MODULE.sub(lambda match: _without_ultra_inits(match[0]), text)


def _without_ultra_inits(module: str) -> str:
    names = set(ULTRA.findall(module))
    if not names:
        return module
    return INIT.sub(lambda match: "" if match[1] in names else match[0], module)


def emit_verilog(
    component: wiring.Component, name: str, *, target: Target = Target.PORTABLE
) -> str:
    """Return a component as one self-contained Verilog-2005 file with plain identifiers.

    The script is that of ``amaranth.back.verilog``. Its text means the same to a simulator that
    reads it as SystemVerilog, see :func:`_started`. For the portable target memories have no
    ``ram_style``: a synthesiser stops at one that its device does not know.
    """
    design = emit_rtlil(component, name, target=target)
    if target is Target.PORTABLE:
        design = STYLE.sub("", design)
    script = [
        f"read_rtlil <<rtlil\n{design}\nrtlil",
        "proc -nomux -norom",
        "memory_collect",
        "write_verilog -norename",
    ]
    yosys = find_yosys(lambda version: version >= (0, 40))
    # Yosys warns of processes that Verilog cannot express; Amaranth emits none of them.
    text = yosys.run(["-q", "-"], "\n".join(script), ignore_warnings=True)
    return plain_identifiers(_started(NOTHING.sub("", text)))


def _started(verilog: str) -> str:
    """Return the same design with initial values that are set by events.

    A combinational process runs when a signal that it reads changes. In Verilog an initial value in
    a declaration is such a change; in SystemVerilog it is set before time 0, so a process whose
    inputs all keep their initial value would never run and its outputs would stay X. So registers
    are set in initial blocks. The constant register that Yosys makes all of these processes read is
    set last, when they wait for it.
    """
    return INITIAL.sub(_initial, START.sub(lambda match: AT_START, verilog))


def _initial(register: re.Match[str]) -> str:
    declaration, name, value = register.groups()
    assign = "<=" if name == AT_START else "="
    return f"{declaration}{name};\n  initial {name} {assign} {value}"
