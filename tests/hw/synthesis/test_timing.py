"""Static timing analysis."""

import pytest

from tercel.errors import TercelError
from tercel_hw.synthesis.delays import DELAYS
from tercel_hw.synthesis.joined import join
from tercel_hw.synthesis.timing import analyse


def measured(joined, *, ports=False, limit_ps=3600):
    return analyse(joined, limit_ps=limit_ps, ports=ports)


def test_a_path_leads_through_blocks(design):
    (worst, *_) = measured(design()).paths
    assert (worst.start, worst.end, worst.levels) == ("FDRE a.from", "FDRE b.to[0]", 3)
    assert [step.cell for step in worst.steps] == ["LUT1", "LUT1", "LUT2", "FDRE b.to[0]"]
    # The third net feeds a table and a reset; the last is inside a slice.
    nets = 2 * DELAYS.routed(1) + DELAYS.routed(2) + DELAYS.local_net
    assert worst.ps == DELAYS.register + 3 * DELAYS.lut + nets + DELAYS.register_setup
    assert [step.fan_out for step in worst.steps] == [1, 1, 2, 1]


def test_loads_in_another_block_make_a_net_slower(design):
    few, many = (measured(design(loads=loads)).paths[0] for loads in (1, 900))
    assert many.ps - few.ps > 800
    assert max(step.fan_out for step in many.steps) == 901


def test_the_reset_is_the_end_of_a_path_and_its_net_is_named(design):
    timing = measured(design(loads=600))
    (first, *_) = timing.control_fan_outs
    assert (first.name, first.control, first.loads) == ("port b.i", 600, 601)
    assert timing.fan_outs[0] == first


def test_every_block_has_its_worst_path_and_its_late_ends(design):
    timing = measured(design(loads=5), limit_ps=1000)
    blocks = {block.block: block for block in timing.blocks}
    assert set(blocks) == {"a", "b"}
    assert (blocks["a"].path.start, blocks["a"].late) == ("port d", 0)
    # Of each register, the data and the reset.
    assert blocks["b"].late == 10
    assert timing.limit_ps == 1000


def test_ports_are_registers_or_those_of_the_processor(design):
    plain, processor = (
        {block.block: block.path for block in measured(design(), ports=ports).blocks}["a"]
        for ports in (False, True)
    )
    assert processor.ps - plain.ps == DELAYS.port_output - DELAYS.register


def test_an_output_port_is_the_end_of_a_path(graph):
    cells = {"x": ("LUT1", {"I0": [3]}, {"O": [4]})}
    joined = join({"t.a": ("a", graph(cells, {"i": [3]}, {"o": [4]}))})
    (path,) = measured(joined).paths
    assert (path.start, path.end) == ("port a.i", "port a.o")
    assert not measured(joined).blocks


def test_a_carry_and_its_tables_are_in_one_slice(graph):
    carry = (
        "CARRY4",
        {"CI": ["0"], "S": [4, "0", "0", "0"], "DI": ["0"] * 4},
        {"O": [5], "CO": [6]},
    )
    cells = {"x": ("LUT1", {"I0": [3]}, {"O": [4]}), "c": carry}
    cells["r"] = ("FDRE", {"C": [2], "D": [5]}, {"Q": [7]})
    (path,) = measured(join({"t.a": ("a", graph(cells, {"clk": [2], "i": [3]}, {}))})).paths
    nets = [step.net_ps for step in path.steps]
    assert nets == [DELAYS.routed(1), DELAYS.carry_net, DELAYS.local_net]


def test_equal_paths_of_a_word_are_shown_once(graph):
    cells = {}
    for i in range(8):
        cells[f"a[{i}]\\FDRE"] = ("FDRE", {"C": [2], "D": ["0"]}, {"Q": [10 + i]})
        cells[f"b[{i}]\\FDRE"] = ("FDRE", {"C": [2], "D": [10 + i]}, {"Q": [20 + i]})
    assert len(measured(join({"t": ("*", graph(cells, {"clk": [2]}, {}))})).paths) == 1


def test_logic_that_feeds_itself_is_reported(graph):
    cells = {
        "x": ("LUT2", {"I0": [3], "I1": [5]}, {"O": [4]}),
        "y": ("LUT1", {"I0": [4]}, {"O": [5]}),
    }
    with pytest.raises(TercelError, match="logic feeds itself through port o"):
        measured(join({"t": ("*", graph(cells, {"i": [3]}, {"o": [5]}))}))


def test_a_design_without_logic_has_no_paths(graph):
    timing = measured(join({"t": ("*", graph({}, {"clk": [2]}, {}))}))
    assert not timing.paths
    assert not timing.fan_outs
