"""The wiring of accelerators with and without the parts of version 3; passes test its effect."""

import gc
import warnings
from dataclasses import replace

import pytest
from amaranth.hdl import UnusedElaboratable

from tercel_hw.tlmm.config import TlmmConfig
from tercel_hw.top import ACCELERATORS
from tercel_hw.top.core import Core

TINY = ACCELERATORS["tiny"]
GROUPS = replace(TINY, tlmm=TlmmConfig(tables=26, groups=1, nodes=2, block_rows=8, max_columns=256))
PARTS = {"gearbox", "cutter", "head_norm"}
"""Blocks that not every accelerator has."""


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        (TINY, {"gearbox"}),
        (GROUPS, {"cutter"}),
        (replace(TINY, qk_norm=True), {"gearbox", "head_norm"}),
        (replace(GROUPS, qk_norm=True), {"cutter", "head_norm"}),
    ],
    ids=["plain", "groups", "norms", "both"],
)
def test_an_accelerator_has_the_parts_that_its_parameters_ask_for(config, parts):
    """Streams whose layouts differ cannot be connected."""
    module = Core(config=config).elaborate(None)
    found = PARTS & set(module._named_submodules)
    # The blocks themselves are not elaborated, and shall not warn of it in a later test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        del module
        gc.collect()
    assert found == parts
