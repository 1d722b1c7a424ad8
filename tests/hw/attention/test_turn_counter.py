import pytest

from tercel.program import LanePlan
from tercel_hw.attention.turn_counter import TurnCounter
from tercel_sim.testbench import run


@pytest.mark.parametrize(("heads", "nodes"), [(1, 1), (3, 1), (4, 2), (5, 1), (3, 4)])
def test_heads_of_a_layer(heads, nodes, shape_of):
    config = shape_of(nodes=4)
    plan = LanePlan(lanes=4, nodes=nodes, heads=heads)
    kv_heads = 8 // plan.walks
    dut = TurnCounter(config)
    turns = [turn for walk in range(plan.walks) for turn in range(plan.turns)][:heads] * kv_heads
    ends = [after == 0 for after in [*turns[1:], 0]]

    async def bench(ctx):
        ctx.set(dut.layer.heads, heads)
        ctx.set(dut.layer.turns, plan.turns)
        ctx.set(dut.layer.walks, kv_heads * plan.walks)
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for index, (turn, end) in enumerate(zip(turns, ends, strict=True)):
                assert ctx.get(dut.turn) == turn
                assert ctx.get(dut.walk_ends) == end
                assert ctx.get(dut.layer_ends) == (index == len(turns) - 1)
                await ctx.tick()
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)

    run(dut, bench, max_cycles=400)
