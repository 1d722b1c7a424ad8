"""Synthesis of one block: ``python -m tercel_hw.synthesis.worker RTLIL TOP NETLIST``.

It is a separate process because Yosys, a native library, may end its process.
"""

import sys

import pyosys.libyosys as yosys

from tercel_hw.synthesis.script import SCRIPT

__all__ = ["synthesise"]


def synthesise(rtlil: str, top: str, netlist: str) -> None:
    """Synthesise a block and write its netlist as JSON."""
    design = yosys.Design()
    for command in SCRIPT:
        yosys.run_pass(command.format(rtlil=rtlil, top=top, netlist=netlist), design)


if __name__ == "__main__":
    synthesise(*sys.argv[1:])
