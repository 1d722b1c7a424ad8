import pytest

from tercel_hw.synthesis.graph import make_graph
from tercel_hw.synthesis.joined import join
from tercel_hw.synthesis.netlist import Netlist


@pytest.fixture
def contents():
    """Makes what Yosys writes of a netlist: cells as (kind, inputs, outputs), ports as bits."""

    def make(cells, inputs, outputs, top="top"):
        def cell(kind, reads, writes):
            directions = dict.fromkeys(reads, "input") | dict.fromkeys(writes, "output")
            connections = {name: list(bits) for name, bits in (reads | writes).items()}
            return {"type": kind, "port_directions": directions, "connections": connections}

        ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
        ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
        named = {name: cell(*described) for name, described in cells.items()}
        return {"modules": {top: {"cells": named, "ports": ports}}}

    return make


@pytest.fixture
def graph(contents):
    """Makes the timing graph of a netlist."""
    return lambda *netlist: make_graph(Netlist(contents(*netlist), top="top"))


@pytest.fixture
def design(graph):
    """A container with blocks a and b: a register, tables in all three, a register."""

    def make(loads=1):
        left = graph(
            {
                "from\\FDRE": register(10, 11, enable=3),
                "x": ("LUT1", {"I0": [11]}, {"O": [12]}),
            },
            {"clk": [2], "enable": [3], "d": [10]},
            {"o": [12]},
        )
        right = graph(
            {
                "y": ("LUT2", {"I0": [4], "I1": ["1"]}, {"O": [5]}),
                **{f"to[{i}]\\FDRE": register(5, 20 + i, reset=4) for i in range(loads)},
            },
            {"clk": [2], "i": [4]},
            {},
        )
        container = graph(
            {
                "a": ("t.a", {"clk": [2], "enable": ["1"], "d": [3]}, {"o": [4]}),
                "z": ("LUT1", {"I0": [4]}, {"O": [5]}),
                "b": ("t.b", {"clk": [2], "i": [5]}, {}),
            },
            {"clk": [2], "d": [3]},
            {},
        )
        return join({"t": ("*", container), "t.a": ("a", left), "t.b": ("b", right)})

    return make


def register(d, q, enable="1", reset="0"):
    return "FDRE", {"C": [2], "D": [d], "CE": [enable], "R": [reset]}, {"Q": [q]}
