import pytest
from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring

from tercel.program import lanes_per_head_choices
from tercel_hw.attention.lanes import lane_of_node, lanes_of_head_slot, node_of_lanes, of_head_slot
from tercel_sim.testbench import run


class Mapping(wiring.Component):
    """Every function, on numbers of the nodes and of the lanes."""

    def __init__(self, lanes):
        self.lanes = lanes
        inputs = {name: wiring.In(8) for name in ("lanes_per_head", "head_slot", "node", "nodes")}
        outputs = {
            "node_of_lane": 8 * lanes,
            "of_head_slot": 8 * lanes,
            "one": lanes,
            "some": lanes,
        }
        super().__init__({**inputs, **{name: wiring.Out(width) for name, width in outputs.items()}})

    def elaborate(self, platform):
        m = Module()
        lanes, allowed = self.lanes, lanes_per_head_choices(self.lanes)
        numbers = Array(Signal(8, init=10 + lane) for lane in range(lanes))
        m.d.comb += [
            self.node_of_lane.eq(Cat(node_of_lanes(self.lanes_per_head, allowed, list(numbers)))),
            self.of_head_slot.eq(
                Cat(of_head_slot(m, self.lanes_per_head, allowed, self.head_slot, list(numbers)))
            ),
            self.one.eq(
                lane_of_node(self.lanes_per_head, allowed, self.head_slot, self.node, lanes)
            ),
            self.some.eq(
                lanes_of_head_slot(self.lanes_per_head, allowed, self.head_slot, self.nodes, lanes)
            ),
        ]
        unused = Signal()
        m.d.sync += unused.eq(~unused)
        return m


@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_a_node_of_a_turn_has_its_lane(lanes):
    dut = Mapping(lanes)

    def numbers(value):
        return [value >> 8 * lane & 255 for lane in range(lanes)]

    async def bench(ctx):
        for lanes_per_head in lanes_per_head_choices(lanes):
            ctx.set(dut.lanes_per_head, lanes_per_head)
            assert numbers(ctx.get(dut.node_of_lane)) == [
                10 + lane % lanes_per_head for lane in range(lanes)
            ]
            for head_slot in range(lanes // lanes_per_head):
                ctx.set(dut.head_slot, head_slot)
                mine = [10 + head_slot * lanes_per_head + node for node in range(lanes_per_head)]
                assert numbers(ctx.get(dut.of_head_slot)) == mine + [0] * (lanes - lanes_per_head)
                for node in range(lanes_per_head):
                    ctx.set(dut.node, node)
                    ctx.set(dut.nodes, node + 1)
                    assert ctx.get(dut.one) == 1 << head_slot * lanes_per_head + node
                    assert ctx.get(dut.some) == ((2 << node) - 1) << head_slot * lanes_per_head

    run(dut, bench, max_cycles=10)
