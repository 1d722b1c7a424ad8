"""Verilog and RTLIL of components with flat port names, the same text in every run."""

import re

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil  # pyright: ignore (the stubs lack it)
from amaranth.lib import wiring

from tercel_hw.memory.ports import flat_ports
from tercel_hw.target import Target

__all__ = ["emit_rtlil", "emit_verilog"]

MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
ULTRA = re.compile(r'^  attribute \\ram_style "ultra"\n  memory [^\n]* \\(\S+)$', re.MULTILINE)
INIT = re.compile(
    r'^  cell \$meminit_v2 [^\n]*\n    parameter \\MEMID "\\\\(\S+)"\n.*?^  end\n',
    re.MULTILINE | re.DOTALL,
)
NOTHING = re.compile(r"^  wire \[-1:0\] [^\n]*;\n", re.MULTILINE)
"""A wire without bits, which Verilog takes for one of two; nothing is connected to it."""


def emit_rtlil(component: wiring.Component, name: str, *, target: Target = Target.PORTABLE) -> str:
    """RTLIL of a component for a target, without paths of source files.

    UltraRAM cannot be initialised, and nothing reads a word of it before it was written, so the
    zeros with which Amaranth fills memories are left out there.
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
    """One self-contained Verilog file of a component (the script of ``amaranth.back.verilog``)."""
    script = [
        f"read_rtlil <<rtlil\n{emit_rtlil(component, name, target=target)}\nrtlil",
        "proc -nomux -norom",
        "memory_collect",
        "write_verilog -norename",
    ]
    yosys = find_yosys(lambda version: version >= (0, 40))
    # Yosys warns of processes that Verilog cannot say; Amaranth emits none of them.
    text = yosys.run(["-q", "-"], "\n".join(script), ignore_warnings=True)
    return NOTHING.sub("", text)
