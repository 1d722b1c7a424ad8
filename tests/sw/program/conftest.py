"""A board whose accelerator is the interpreter of programs, and images for it."""

import dataclasses

import numpy as np
import pytest
from program_interpreter import Interpreter

from tercel.config import PRESETS
from tercel.device.board import Board
from tercel.device.registers import REGISTERS
from tercel.image import Image, TapeLayout, random_image
from tercel.program import COMMAND_BYTES, AcceleratorSpec, StripedMemory

CONTROL_START = REGISTERS["CONTROL_START_MASK"]


class InterpretedBoard(Board):
    """A board whose accelerator is the interpreter; memory starts as noise."""

    def __init__(self, spec, words=1 << 16):
        self.spec = spec
        self.noise = np.random.default_rng(1)
        layout = spec.layout
        shape = layout.ports, words * layout.port_bytes
        ports = self.noise.integers(0, 256, shape, np.uint8)
        self.memory = StripedMemory(ports, port_bytes=layout.port_bytes)
        self.programs = []
        self.reset()

    @property
    def clock_hz(self):
        return 250e6

    @property
    def bases(self):
        return tuple(0x1_2000_0000 + 0x100000 * port for port in range(self.spec.layout.ports))

    def read_register(self, offset):
        fixed = {"ID": 0x5452434C, "CAPS": self.spec.caps, "SHAPE": self.spec.shape}
        fixed["STATUS"] = REGISTERS["STATUS_DONE_MASK"]
        fixed = {REGISTERS[name]: value for name, value in fixed.items()}
        return fixed.get(offset, self.registers.get(offset, 0))

    def write_register(self, offset, value):
        self.registers[offset] = value

    def wait(self, timeout):
        assert self.registers.pop(REGISTERS["CONTROL"]) == CONTROL_START
        for port, base in enumerate(self.bases):
            low, high = (self.registers[REGISTERS["TAPE_BASE0"] + 8 * port + i] for i in (0, 4))
            assert low | high << 32 == base
        address = self.registers[REGISTERS["PROGRAM_ADDRESS"]]
        length = self.registers[REGISTERS["PROGRAM_LENGTH"]]
        content = self.memory.read(address, COMMAND_BYTES // self.memory.read(0, 1).size * length)
        self.programs.append(content.reshape(length, COMMAND_BYTES))
        Interpreter(self.memory, self.spec, self.noise).run(address, length)

    def reset(self):
        self.registers = {}


TINY = PRESETS["tiny"]
FAMILIES = {
    "silu_gqa_tied": (TINY, TapeLayout(tables=4, ports=2, port_bytes=8, block_rows=24)),
    "silu_mha_sub_norms": (
        dataclasses.replace(TINY, heads=2, kv_heads=2, head_size=96, sub_norms=True),
        TapeLayout(),
    ),
    "relu2_untied": (
        dataclasses.replace(
            TINY,
            layers=3,
            hidden_size=80,
            ffn_size=112,
            kv_heads=1,
            vocab_size=90,
            activation="relu2",
            sub_norms=True,
            tied_head=False,
        ),
        TapeLayout(code="index5", tables=9, ports=2, port_bytes=16, block_rows=32),
    ),
    "relu2_tied": (
        dataclasses.replace(TINY, activation="relu2", head_size=32, kv_heads=4),
        TapeLayout(code="index5", tables=128, ports=1, port_bytes=16),
    ),
}
SCALED = {
    "row_scales": (
        dataclasses.replace(TINY, granularity="row", hidden_size=80, sub_norms=True),
        TapeLayout(tables=26, ports=2, port_bytes=8, block_rows=24),
    ),
    "groups": (
        dataclasses.replace(
            TINY, granularity="group", hidden_size=144, ffn_size=300, qk_norm=True, kv_heads=1
        ),
        TapeLayout(tables=26, ports=2, port_bytes=8, block_rows=32),
    ),
    "groups_ternary_head": (
        dataclasses.replace(
            TINY,
            granularity="group",
            ternary_head=True,
            qk_norm=True,
            hidden_size=400,
            vocab_size=91,
            activation="relu2",
        ),
        TapeLayout(tables=78, block_rows=32),
    ),
    "groups_untied": (
        dataclasses.replace(
            TINY, granularity="group", ternary_head=True, tied_head=False, sub_norms=True
        ),
        TapeLayout(tables=52, ports=4, port_bytes=8, block_rows=16),
    ),
}
"""Families whose matrices have scales of rows or groups."""
LISTED = {
    "shortlist": (
        dataclasses.replace(TINY, shortlist=32, vocab_size=125, hidden_size=80),
        TapeLayout(tables=26, ports=2, port_bytes=8, block_rows=32),
    ),
    "groups_shortlist": (
        dataclasses.replace(
            TINY, granularity="group", qk_norm=True, shortlist=64, vocab_size=300, tied_head=False
        ),
        TapeLayout(tables=78, block_rows=512),
    ),
}
"""Families with a shortlist."""


def made(name, folder):
    config, layout = (FAMILIES | SCALED | LISTED)[name]
    path = folder.mktemp("images") / f"{name}.tercel"
    random_image(path, config, layout=layout, seed=11)
    return Image.open(path)


@pytest.fixture(scope="session", params=FAMILIES)
def image(request, tmp_path_factory):
    """A random image of each model family and tape layout."""
    return made(request.param, tmp_path_factory)


@pytest.fixture(scope="session", params=SCALED)
def scaled_image(request, tmp_path_factory):
    return made(request.param, tmp_path_factory)


@pytest.fixture(scope="session", params=LISTED)
def listed_image(request, tmp_path_factory):
    return made(request.param, tmp_path_factory)


@pytest.fixture(scope="session", params=FAMILIES | SCALED | LISTED)
def every_image(request, tmp_path_factory):
    return made(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    config, layout = FAMILIES["silu_gqa_tied"]
    path = tmp_path_factory.mktemp("images") / "tiny.tercel"
    random_image(path, config, layout=layout, seed=12)
    return Image.open(path)


@pytest.fixture(scope="session")
def spec():
    """The smallest accelerator for an image, with other fields as given."""

    def make(image, **fields):
        config = image.config
        smallest = {
            "layout": image.layout,
            "nodes": 8,
            "positions": config.context,
            "hidden": config.hidden_size,
            "columns": max(columns for _, columns in config.linears().values()),
            "head_size": config.head_size,
            "sweeps": config.heads,
            "slices": max(
                config.heads * image.layout.words(config.head_size),
                image.layout.words(config.hidden_size),
            ),
            "top_k": 8,
            "rows": config.vocab_size,
            "address_width": 40,
            "groups": image.layout.groups
            if config.granularity != "tensor" or config.shortlist
            else 0,
            "qk_norm": config.qk_norm,
            "shortlist": config.shortlist,
        }
        return AcceleratorSpec(**smallest | fields)

    return make


@pytest.fixture
def board():
    return InterpretedBoard
