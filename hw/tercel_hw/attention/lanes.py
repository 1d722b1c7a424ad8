"""Mapping between nodes and lanes: node n of head slot s is lane ``s * lanes_per_head + n``."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["lane_of_node", "lanes_of_head_slot", "node_of_lanes", "of_head_slot"]


def _choose(lanes_per_head: Value, values: dict[int, Value]) -> Value:
    """Select the value whose key equals ``lanes_per_head``; the first for any other number."""
    chosen: Value | None = None
    for number, value in values.items():
        chosen = value if chosen is None else Mux(lanes_per_head == number, value, chosen)
    assert chosen is not None
    return chosen


def node_of_lanes(
    lanes_per_head: Value, lanes_per_head_choices: Sequence[int], nodes: Sequence[Value]
) -> list[Value]:
    """Gather per-node values into lanes: lane l gets node ``l % lanes_per_head``."""
    return [
        _choose(lanes_per_head, {number: nodes[lane % number] for number in lanes_per_head_choices})
        for lane in range(len(nodes))
    ]


def lanes_of_head_slot(
    lanes_per_head: Value,
    lanes_per_head_choices: Sequence[int],
    head_slot: Value,
    nodes: Value,
    lanes: int,
) -> Value:
    """Return the mask of the lanes of the first ``nodes`` nodes of a head slot, a bit a lane."""
    return Cat(
        _choose(
            lanes_per_head,
            {
                number: (head_slot == lane // number) & (nodes > lane % number)
                for number in lanes_per_head_choices
            },
        )
        for lane in range(lanes)
    )


def lane_of_node(
    lanes_per_head: Value,
    lanes_per_head_choices: Sequence[int],
    head_slot: Value,
    node: Value,
    lanes: int,
) -> Value:
    """Return the one-hot mask of the lane of a node of a head slot."""
    return Cat(
        _choose(
            lanes_per_head,
            {
                number: (head_slot == lane // number) & (node == lane % number)
                for number in lanes_per_head_choices
            },
        )
        for lane in range(lanes)
    )


def of_head_slot(
    m: Module,
    lanes_per_head: Value,
    lanes_per_head_choices: Sequence[int],
    head_slot: Value,
    lanes: Sequence[Value],
) -> list[Value]:
    """Gather per-lane values of a head slot into nodes.

    Node n gets lane ``head_slot * lanes_per_head + n``; nodes from ``lanes_per_head`` on get zero.
    """
    count = len(lanes)
    found = []
    for node in range(count):
        choices = {}
        for number in lanes_per_head_choices:
            if node >= number:
                choices[number] = Const(0, len(Value.cast(lanes[0])))
                continue
            mine = [lanes[at] for at in range(node, count // number * number, number)]
            value = Signal(Value.cast(lanes[0]).shape(), name=f"slot{node}_{number}")
            with m.Switch(head_slot):
                for index, lane in enumerate(mine):
                    with m.Case(index):
                        m.d.comb += value.eq(lane)
            choices[number] = value
        found.append(_choose(lanes_per_head, choices))
    return found
