"""Between nodes and lanes: node n of turn t has lane ``t * pad + n``."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["lane_of_node", "lanes_of_turn", "node_of_lanes", "of_turn"]


def _choose(pad: Value, values: dict[int, Value]) -> Value:
    """The value of the pad that is meant."""
    chosen: Value | None = None
    for number, value in values.items():
        chosen = value if chosen is None else Mux(pad == number, value, chosen)
    assert chosen is not None
    return chosen


def node_of_lanes(pad: Value, pads: Sequence[int], nodes: Sequence[Value]) -> list[Value]:
    """What belongs to each lane's node, of what belongs to each node."""
    return [
        _choose(pad, {number: nodes[lane % number] for number in pads})
        for lane in range(len(nodes))
    ]


def lanes_of_turn(pad: Value, pads: Sequence[int], turn: Value, nodes: Value, lanes: int) -> Value:
    """A bit a lane: whether it is that of one of the first ``nodes`` nodes in a turn."""
    return Cat(
        _choose(
            pad,
            {number: (turn == lane // number) & (nodes > lane % number) for number in pads},
        )
        for lane in range(lanes)
    )


def lane_of_node(pad: Value, pads: Sequence[int], turn: Value, node: Value, lanes: int) -> Value:
    """A bit a lane: whether it is that of a node in a turn."""
    return Cat(
        _choose(
            pad, {number: (turn == lane // number) & (node == lane % number) for number in pads}
        )
        for lane in range(lanes)
    )


def of_turn(
    m: Module, pad: Value, pads: Sequence[int], turn: Value, lanes: Sequence[Value]
) -> list[Value]:
    """What belongs to each node in a turn, of what belongs to each lane; zero beyond the pad."""
    count = len(lanes)
    found = []
    for node in range(count):
        choices = {}
        for number in pads:
            if node >= number:
                choices[number] = Const(0, len(Value.cast(lanes[0])))
                continue
            mine = [lanes[at] for at in range(node, count // number * number, number)]
            value = Signal(Value.cast(lanes[0]).shape(), name=f"turn{node}_{number}")
            with m.Switch(turn):
                for index, lane in enumerate(mine):
                    with m.Case(index):
                        m.d.comb += value.eq(lane)
            choices[number] = value
        found.append(_choose(pad, choices))
    return found
