import pytest
from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring

from tercel.program import pads
from tercel_hw.attention.lanes import lane_of_node, lanes_of_turn, node_of_lanes, of_turn
from tercel_sim.testbench import run


class Mapping(wiring.Component):
    """Every function, on numbers of the nodes and of the lanes."""

    def __init__(self, lanes):
        self.lanes = lanes
        inputs = {name: wiring.In(8) for name in ("pad", "turn", "node", "nodes")}
        outputs = {"node_of_lane": 8 * lanes, "of_turn": 8 * lanes, "one": lanes, "some": lanes}
        super().__init__({**inputs, **{name: wiring.Out(width) for name, width in outputs.items()}})

    def elaborate(self, platform):
        m = Module()
        lanes, allowed = self.lanes, pads(self.lanes)
        numbers = Array(Signal(8, init=10 + lane) for lane in range(lanes))
        m.d.comb += [
            self.node_of_lane.eq(Cat(node_of_lanes(self.pad, allowed, list(numbers)))),
            self.of_turn.eq(Cat(of_turn(m, self.pad, allowed, self.turn, list(numbers)))),
            self.one.eq(lane_of_node(self.pad, allowed, self.turn, self.node, lanes)),
            self.some.eq(lanes_of_turn(self.pad, allowed, self.turn, self.nodes, lanes)),
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
        for pad in pads(lanes):
            ctx.set(dut.pad, pad)
            assert numbers(ctx.get(dut.node_of_lane)) == [10 + lane % pad for lane in range(lanes)]
            for turn in range(lanes // pad):
                ctx.set(dut.turn, turn)
                mine = [10 + turn * pad + node for node in range(pad)]
                assert numbers(ctx.get(dut.of_turn)) == mine + [0] * (lanes - pad)
                for node in range(pad):
                    ctx.set(dut.node, node)
                    ctx.set(dut.nodes, node + 1)
                    assert ctx.get(dut.one) == 1 << turn * pad + node
                    assert ctx.get(dut.some) == ((2 << node) - 1) << turn * pad

    run(dut, bench, max_cycles=10)
