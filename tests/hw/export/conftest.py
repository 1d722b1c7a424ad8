import dataclasses

import pytest

from tercel_hw.board import load_board
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.top.config import ACCELERATORS


@pytest.fixture
def tiny():
    return ACCELERATORS["tiny"]


@pytest.fixture
def interfaces(tiny):
    return describe_interfaces(tiny)


@pytest.fixture
def narrow_board():
    """The KV260 with ports of 64 bits, which the tiny accelerator has."""
    return dataclasses.replace(load_board("kv260"), port_bits=64)
