"""The presets of boards against what was explored: nothing dominates them by more than the errors.

The stored explorations are made by
``tercel explore --board B --model M --trials N -o tests/sim/explore/B-M.json``, but for the kv260
with ``--trials 0 --fill 0.9``: the preset and its neighbours.
"""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tercel.config import PRESETS
from tercel_hw.board import board_names, load_board
from tercel_hw.top import ACCELERATORS
from tercel_sim.ddr import DDR
from tercel_sim.explore.design import Design
from tercel_sim.explore.design_space import DesignSpace
from tercel_sim.explore.evaluation import Evaluation, Speed, ddr_at, predict_speed
from tercel_sim.explore.report import Exploration
from tercel_sim.explore.resource_model import resource_model

STORED = sorted(Path(__file__).parent.glob("*.json"))
SPEED_ERROR = 0.02
"""Largest error of the cycle model (docs/results.md)."""
SHARE_ERROR = 0.1
"""A difference of shares that estimates cannot tell."""
TOLERANCE = (SPEED_ERROR, SPEED_ERROR, SPEED_ERROR, SHARE_ERROR)


def exploration(path):
    """The stored designs and speeds, with the resources that today's model estimates."""
    stored = json.loads(path.read_text())
    board = load_board(stored["board"])
    space = DesignSpace(
        board=board,
        model=PRESETS[stored["model"]],
        preset=ACCELERATORS[board.preset],
        resources=resource_model(),
        fill=stored["fill"],
    )
    found = []
    for each in stored["designs"]:
        design = Design(**{field.name: each[field.name] for field in fields(Design)})
        config = design.accelerator(space.preset)
        found.append(
            Evaluation(
                design=design,
                speed=Speed(**{field.name: each[field.name] for field in fields(Speed)}),
                shares=space.shares(space.estimate(config)),
            )
        )
    memory = stored["memory"]
    return Exploration(space=space, memory=memory, found=tuple(found), synthesised={}, checked={})


def predicted(stored, found):
    """The speed that the cycle model predicts today."""
    memory = DDR[stored.memory.partition(",")[0]]
    config = found.design.accelerator(stored.space.preset)
    return predict_speed(stored.space.model, config, ddr_at(memory, found.design.clock_mhz))


def check_speed(stored, found):
    speed = predicted(stored, found)
    for field in fields(Speed):
        value = getattr(found.speed, field.name)
        assert getattr(speed, field.name) == pytest.approx(value, rel=0.01), found.design.short


def explored(board):
    """Everything about a board that its exploration depends on."""
    found = load_board(board)
    return (found.preset, found.clock_mhz, found.ddr.simulated, found.resources, found.port_bits)


def test_every_board_is_explored():
    """The kr260 has the module, and so all figures, of the kv260."""
    stored = {explored(json.loads(path.read_text())["board"]) for path in STORED}
    assert {explored(board) for board in board_names()} == stored
    assert explored("kr260") == explored("kv260")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_nothing_that_was_explored_dominates_the_preset(path):
    stored = exploration(path)
    designs = [each.design for each in stored.found]
    neighbours = list(stored.space.neighbours(stored.space.standard))
    assert set(neighbours) <= set(designs), "explore again: the space has other neighbours"
    assert stored.standard.largest_share <= stored.space.fill
    assert [each.design.short for each in stored.dominating(TOLERANCE)] == []


def test_a_preset_of_half_the_clock_would_be_dominated():
    stored = exploration(next(path for path in STORED if path.stem == "kv260-0.7b"))
    half = replace(stored.space.board, clock_mhz=stored.space.board.clock_mhz / 2)
    slow = replace(stored, space=replace(stored.space, board=half))
    assert stored.standard in slow.dominating(TOLERANCE)


def test_the_speed_of_the_preset_is_what_was_stored():
    stored = exploration(next(path for path in STORED if path.stem == "kv260-0.7b"))
    check_speed(stored, stored.standard)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_speeds_of_all_designs_are_what_was_stored():
    stored = exploration(next(path for path in STORED if path.stem == "kv260-0.7b"))
    for found in stored.found:
        check_speed(stored, found)
