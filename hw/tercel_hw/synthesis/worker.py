"""Synthesis of one block: ``python -m tercel_hw.synthesis.worker RTLIL TOP NETLIST TARGET``.

It is a separate process because Yosys, a native library, may end its process.
"""

import sys

import pyosys.libyosys as yosys

from tercel_hw.synthesis.script import script
from tercel_hw.target import Target

__all__ = ["synthesise"]


def synthesise(rtlil: str, top: str, netlist: str, target: str) -> None:
    """Synthesise a block and write its netlist as JSON."""
    design = yosys.Design()
    for command in script(Target.parse(target)):
        yosys.run_pass(command.format(rtlil=rtlil, top=top, netlist=netlist), design)


if __name__ == "__main__":
    synthesise(*sys.argv[1:])
