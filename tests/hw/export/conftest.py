import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Const, Module, signed
from amaranth.lib import wiring

from tercel_hw.board import load_board
from tercel_hw.export.interfaces import describe_interfaces
from tercel_hw.primitives.dsp48e2 import dsp48e2
from tercel_hw.register_copies import RegisterCopies
from tercel_hw.tlmm.ternary_adder import TernaryAdder
from tercel_hw.top.config import ACCELERATORS

OLDEST_VERILATOR = (5, 6)


class Design(wiring.Component):
    """Some of each primitive."""

    def __init__(self):
        number = signed(10)
        super().__init__(
            {"x": wiring.In(number), "o": wiring.Out(number), "p": wiring.Out(signed(48))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.copies = copies = RegisterCopies(width=10, copies=2)
        m.d.comb += copies.i.eq(self.x)
        m.submodules.adder = adder = TernaryAdder(width=10)
        operands = (adder.a, adder.b, adder.c)
        m.d.comb += [a.eq(b) for a, b in zip(operands, (self.x, *copies.o), strict=True)]
        m.d.comb += self.o.eq(adder.o)
        inputs = {"A": self.x, "B": self.x, "OPMODE": Const(0b101, 9)}
        m.submodules.cell = dsp48e2(attributes={"CREG": 0}, inputs=inputs, P=self.p)
        return m


@pytest.fixture(scope="session")
def primitive_design():
    """Makes a design with some of each primitive, which takes no time to emit."""
    return Design


@pytest.fixture
def tiny():
    return ACCELERATORS["tiny"]


@pytest.fixture
def interfaces(tiny):
    return describe_interfaces(tiny)


@pytest.fixture
def narrow_board():
    """The KV260 with ports of 64 bits and little memory, as the tiny accelerator has."""
    board = load_board("kv260")
    low = tuple(segment for segment in board.segments if segment.name == "DDR_LOW")
    return dataclasses.replace(board, port_bits=64, segments=low)


@pytest.fixture(params=["package", "system"])
def any_verilator(request):
    """The Verilator of the Python package, and that of the system if it is supported."""
    if request.param == "package":
        return request.getfixturevalue("verilator")
    found = shutil.which("verilator")
    if found is None:
        pytest.skip("no verilator on the path")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in said.split()[1].split("."))
    if version < OLDEST_VERILATOR:
        pytest.skip(f"Verilator {said.split()[1]} is older than the oldest supported")
    return Path(found)


@pytest.fixture
def lint(any_verilator, tmp_path):
    """Asserts that lint of files in the test's folder says nothing, or else only what is given."""

    def check(top, *files, complaint=None):
        command = [any_verilator, "--lint-only", "-Wall", "--top-module", top, *files]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        warnings = [line for line in done.stderr.splitlines() if line.startswith("%Warning")]
        if complaint is None:
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert len(warnings) == 1, done.stderr
            assert complaint in warnings[0]

    return check
