import pytest


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
