import dataclasses
import subprocess

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


@pytest.fixture
def lint(verilator, tmp_path):
    """Asserts that lint of files in the test's folder says nothing, or else only what is given."""

    def check(top, *files, complaint=None):
        command = [verilator, "--lint-only", "-Wall", "--top-module", top, *files]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        warnings = [line for line in done.stderr.splitlines() if line.startswith("%Warning")]
        if complaint is None:
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert len(warnings) == 1, done.stderr
            assert complaint in warnings[0]

    return check
