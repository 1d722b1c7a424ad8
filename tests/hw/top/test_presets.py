"""Whole accelerators of the boards; their reduced forms run in tests/sim/test_rtl_sweep.py."""

import pytest
from amaranth.hdl import Fragment

from tercel_hw.board import board_names, load_board
from tercel_hw.top.accelerator import Accelerator
from tercel_hw.top.config import ACCELERATORS

BOARDS = {load_board(name).preset: load_board(name) for name in board_names()}
"""A board of each preset; the kv260's is elaborated by other tests."""


@pytest.mark.parametrize("preset", sorted(set(BOARDS) - {"kv260"}))
def test_a_boards_accelerator_is_elaborated(preset):
    accelerator = Accelerator(config=ACCELERATORS[preset])
    assert Fragment.get(accelerator, BOARDS[preset].target).subfragments
