"""Synthesis of one block: ``python -m tercel_hw.synthesis.worker RTLIL TOP NETLIST TARGET``.

It is a separate process because Yosys, a native library, may end its process.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pyosys.libyosys as yosys

from tercel_hw.synthesis.script import script
from tercel_hw.target import Target

__all__ = ["synthesise"]

PARAMETRIC = ("RAMB", "FIFO", "URAM", "DSP")
"""Starts of the kinds of cells whose parameters decide their registers."""


def synthesise(rtlil: str, top: str, netlist: str, target: str) -> None:
    """Synthesise a block and write the netlist of its module as compressed JSON."""
    design = yosys.Design()
    whole = f"{netlist}.whole"
    for command in script(Target.parse(target)):
        yosys.run_pass(command.format(rtlil=rtlil, top=top, netlist=whole), design)
    module = json.loads(Path(whole).read_text())["modules"][top]
    cells = {name: _needed(cell) for name, cell in module["cells"].items()}
    contents = {"modules": {top: {"ports": module["ports"], "cells": cells}}}
    Path(netlist).write_bytes(gzip.compress(json.dumps(contents).encode(), 6, mtime=0))


def _needed(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell without what is not read: most attributes and parameters."""
    needed = {name: cell[name] for name in ("type", "port_directions", "connections")}
    if pair := cell.get("attributes", {}).get("HLUTNM"):
        needed["attributes"] = {"HLUTNM": pair}
    if cell["type"].startswith(PARAMETRIC):
        needed["parameters"] = {
            name: value for name, value in cell["parameters"].items() if "INIT" not in name
        }
    return needed


if __name__ == "__main__":
    synthesise(*sys.argv[1:])
