"""Cocotb bench: plays a file of inputs to all forms of a component, writes what they give."""

from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

RESET_CYCLES = 3


@cocotb.test()
async def play(dut):
    inputs = Path(cocotb.plusargs["inputs"]).read_text().split()
    outputs = [getattr(dut, form) for form in cocotb.plusargs["forms"].split(",")]
    Clock(dut.clk, 4, "ns").start()
    dut.rst.value = 1
    dut.inputs.value = 0
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    lines = []
    for word in inputs:
        dut.inputs.value = int(word, 16)
        await FallingEdge(dut.clk)
        lines.append(" ".join(str(output.value) for output in outputs))
        await RisingEdge(dut.clk)
    Path(cocotb.plusargs["outputs"]).write_text("\n".join(lines))
