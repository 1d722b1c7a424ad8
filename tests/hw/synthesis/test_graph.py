"""The timing graph of a block."""

import dataclasses
import json

from tercel_hw.synthesis.graph import FABRIC, OTHER, Graph


def test_other_blocks_are_ports_and_not_cells(graph):
    made = graph(
        {
            "u": ("t.u", {"clk": [2], "i": [3, "1"]}, {"o": [4]}),
            "x": ("LUT1", {"I0": [4]}, {"O": [5]}),
        },
        {"clk": [2], "i": [3]},
        {"o": [5]},
    )
    ports = made.blocks["t.u"]
    assert ports["i"] == [*made.inputs["i"], -1]
    (arc,) = zip(made.arc_source, made.arc_target, strict=True)
    assert arc == (*ports["o"], *made.outputs["o"])
    assert made.loads[ports["i"][0]] == 0
    assert made.loads[ports["o"][0]] == 1
    assert made.driver[made.outputs["o"][0]] == FABRIC
    assert not made.cells


def test_enables_and_resets_are_counted_and_clocks_are_not(graph):
    cells = {
        f"r[{i}]\\FDRE": ("FDRE", {"C": [2], "CE": [3], "D": [3], "R": ["0"]}, {"Q": [10 + i]})
        for i in range(4)
    }
    made = graph(cells, {"clk": [2], "i": [3]}, {})
    (net,) = made.inputs["i"]
    assert (made.loads[net], made.control[net]) == (8, 4)
    assert made.control_sets == [(net, -1, 4)]
    assert made.cells[0] == "FDRE r[0]"
    assert made.loads[made.inputs["clk"][0]] == 0
    assert made.driver[made.launch_net[0]] == OTHER


def test_a_table_with_many_loads_is_described_by_what_it_reads(graph):
    cells = {
        "x": ("LUT2", {"I0": [3], "I1": [9]}, {"O": [4]}),
        "state\\FDRE": ("FDRE", {"C": [2], "D": [4]}, {"Q": [9]}),
    }
    cells |= {f"y{i}": ("LUT1", {"I0": [4]}, {"O": [10 + i]}) for i in range(40)}
    made = graph(cells, {"clk": [2], "rst": [3]}, {})
    assert list(made.names.values()) == ["LUT2 of rst, state"]


def test_a_graph_is_the_same_after_it_was_stored(graph):
    cells = {"r": ("FDRE", {"C": [2], "CE": [4], "D": [3]}, {"Q": [5]})}
    made = graph(cells, {"clk": [2], "i": [3, 4]}, {"o": [5]})
    assert Graph.parse(json.loads(json.dumps(dataclasses.asdict(made)))) == made
