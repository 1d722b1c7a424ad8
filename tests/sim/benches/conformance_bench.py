"""Cocotb bench: the rules of every board, on the board of a bench."""

import sys
from pathlib import Path

import cocotb
from accelerator_bench import SPEC, begin
from cocotb.task import bridge

from tercel_sim.cocotb_board import CocotbBoard

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import conformance


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(check=[check.__name__ for check in conformance.CHECKS])
async def the_board_keeps_the_rules(dut, check):
    board = CocotbBoard(await begin(dut, words=512))
    await bridge(getattr(conformance, check))(board, SPEC)
