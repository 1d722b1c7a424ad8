from dataclasses import replace

import pytest

from tercel.errors import TercelError
from tercel_hw.top import ACCELERATORS
from tercel_sim.explore.design import Design


@pytest.mark.parametrize("name", ACCELERATORS)
def test_a_preset_is_its_own_design(name):
    config = ACCELERATORS[name]
    assert Design.of(config, 250).accelerator(config) == config


def test_a_design_changes_the_searched_parameters_alone():
    preset = ACCELERATORS["kv260"]
    design = replace(Design.of(preset, 250), nodes=2, ports=2, code="index5", tables=32, chain=8)
    config = replace(design, tape_words=4096).accelerator(preset)
    assert (config.nodes, config.ports, config.layout.code, config.layout.tables) == (
        *(2, 2, "index5"),
        32,
    )
    assert (config.chain, config.tape_words) == (8, 4096)
    assert (config.hidden, config.positions) == (preset.hidden, preset.positions)
    assert design.short == "K2 2x128 index5 32 chain 8 tape 16384 250 MHz"


def test_rules_of_the_generator_are_kept():
    preset = ACCELERATORS["kv260"]
    with pytest.raises((ValueError, TercelError), match="chain must be a power of two"):
        replace(Design.of(preset, 250), chain=5).accelerator(preset)
