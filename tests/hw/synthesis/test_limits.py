"""Limits of the kv260's paths and control nets, on the stored report of `tercel synth`."""

import json
import sys
from pathlib import Path

import pytest

from tercel_hw.board import load_board
from tercel_hw.export.bundle import STORED
from tercel_hw.synthesis.timing_report import LIMIT_PS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIMITS = tomllib.loads((Path(__file__).parent / "limits.toml").read_text())


@pytest.fixture(scope="module")
def timing():
    return json.loads((load_board("kv260").folder / STORED).read_text())["timing"]


def test_every_block_has_a_limit(timing):
    assert set(timing["blocks"]) == set(LIMITS["path_ps"])
    assert min(LIMITS["path_ps"].values()) >= LIMIT_PS == timing["limit_ps"]


def test_no_path_is_longer_than_the_limit_of_its_block(timing):
    longer = {
        block: path["ps"]
        for block, path in timing["blocks"].items()
        if path["ps"] > LIMITS["path_ps"][block]
    }
    assert not longer


def test_no_control_net_has_more_loads_than_the_limit(timing):
    assert max(net["control"] for net in timing["control_fan_outs"]) <= LIMITS["control_loads"]
