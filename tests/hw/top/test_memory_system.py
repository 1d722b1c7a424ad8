from dataclasses import replace

import pytest

from tercel_hw.top import ACCELERATORS
from tercel_hw.top.config import CHANNELS
from tercel_hw.top.memory_system import channel_config


@pytest.mark.parametrize(
    ("name", "depth", "step", "ram_style", "latency"),
    [
        ("program", 32, 16, "distributed", 1),
        ("rows", 32, 16, "distributed", 1),
        ("vector", 128, 64, "block", 4),
        ("cache", 512, 64, "block", 4),
        ("tape", 16384, 64, "ultra", 5),
    ],
)
def test_the_channels_of_the_kv260(name, depth, step, ram_style, latency):
    config = channel_config(ACCELERATORS["kv260"], name)
    assert (config.depth, config.step, config.ram_style) == (depth, step, ram_style)
    assert config.latency == latency


def test_without_ultraram_the_tape_is_in_block_ram():
    config = channel_config(replace(ACCELERATORS["kv260"], ultra_ram=False), "tape")
    assert (config.depth, config.ram_style, config.latency) == (16384, "block", 4)


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_every_channel_holds_two_steps(accelerator):
    for name in CHANNELS:
        config = channel_config(ACCELERATORS[accelerator], name)
        assert config.depth >= 2 * config.step
