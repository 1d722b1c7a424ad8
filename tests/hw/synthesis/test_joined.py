"""Graphs of blocks, joined at their ports."""

from tercel_hw.synthesis.joined import join


def test_nets_at_both_sides_of_a_port_are_one(design):
    joined = design(loads=3)
    assert sorted(joined.blocks) == ["*", "a", "b"]
    assert joined.cells[0] == "FDRE a.from"
    # The table between the blocks drives a table and three resets of the other block.
    (net,) = [net for net, name in joined.names.items() if name == "port b.i"]
    assert (joined.loads[net], joined.control[net]) == (4, 3)


def test_ports_without_another_side_are_outer_ports(design, graph):
    joined = design()
    assert set(joined.inputs) == {"d"}
    assert not joined.outputs
    alone = join({"t.a": ("a", graph({}, {"clk": [2], "rst": [5], "i": [3]}, {"o": [3]}))})
    assert set(alone.inputs) == {"a.i"}
    assert set(alone.outputs) == {"a.o"}


def test_control_sets_are_those_of_the_whole_design(graph):
    def registers(reset):
        return graph(
            {f"r{i}": ("FDRE", {"C": [2], "D": ["0"], "R": [reset]}, {}) for i in range(3)},
            {"clk": [2], "reset": [3]},
            {},
        )

    container = graph(
        {name: (f"t.{name}", {"clk": [2], "reset": [3]}, {}) for name in ("one", "two", "three")},
        {"clk": [2], "reset": [3]},
        {},
    )
    blocks = {"t": ("*", container), "t.one": ("one", registers(3)), "t.two": ("two", registers(3))}
    assert join(blocks).control_sets == 1
    assert join(blocks | {"t.three": ("three", registers("0"))}).control_sets == 2
