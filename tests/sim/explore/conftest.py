from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel_hw.board import load_board
from tercel_hw.synthesis.resources import Resources
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.design_space import DesignSpace
from tercel_sim.explore.measured import Measured
from tercel_sim.explore.resource_model import ResourceModel


@pytest.fixture
def small_space():
    """A little space around the smallest preset, with made-up resources: 1,000 LUT a lane."""
    preset = ACCELERATORS["tiny"]
    codes = ("base3", "index5")
    points = [
        Measured(
            name=f"{code} K{nodes}",
            target=Target.SERIES_7,
            config=replace(preset, tlmm=replace(preset.tlmm, code=code, nodes=nodes)),
            blocks={"core.engine": Resources(lut=1000 * nodes, ff=10 * nodes)},
        )
        for code in codes
        for nodes in (1, 2, 4)
    ]
    board = replace(
        load_board("pynq-z2"),
        preset="tiny",
        memory_ports=("A", "B"),
        resources=Resources(lut=5000, lut_memory=10, ff=1000, dsp=10, bram36=10, uram=10),
    )
    model = replace(PRESETS["tiny"], context=64)
    return DesignSpace(
        board=board,
        model=model,
        preset=preset,
        resources=ResourceModel(points),
        choices={
            "nodes": (1, 2, 4, 5),
            "ports": (1, 2, 4),
            "code": codes,
            "tables": (preset.tlmm.tables, 8),
            "chain": (4, 8),
            "tape_words": (128, 256),
        },
    )
