"""Synthesises one block: ``python -m tercel_hw.synthesis.worker RTLIL TOP NETLIST``.

A process of its own, for Yosys is a native library that may end the process with it.
"""

import sys

import pyosys.libyosys as yosys

from tercel_hw.synthesis.script import SCRIPT

__all__ = ["synthesise"]


def synthesise(rtlil: str, top: str, netlist: str) -> None:
    """Write the netlist of a block as JSON."""
    design = yosys.Design()
    for command in SCRIPT:
        yosys.run_pass(command.format(rtlil=rtlil, top=top, netlist=netlist), design)


if __name__ == "__main__":
    synthesise(*sys.argv[1:])
