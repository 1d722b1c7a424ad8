import pytest

from tercel.program import LanePlan
from tercel_hw.attention.head_slot_counter import HeadSlotCounter
from tercel_sim.testbench import run


@pytest.mark.parametrize(("heads", "nodes"), [(1, 1), (3, 1), (4, 2), (5, 1), (3, 4)])
def test_heads_of_a_layer(heads, nodes, shape_of):
    config = shape_of(nodes=4)
    plan = LanePlan(lanes=4, nodes=nodes, heads=heads)
    kv_heads = 8 // plan.sweeps
    dut = HeadSlotCounter(config)
    head_slots = [
        head_slot for sweep in range(plan.sweeps) for head_slot in range(plan.head_slots)
    ][:heads] * kv_heads
    ends = [after == 0 for after in [*head_slots[1:], 0]]

    async def bench(ctx):
        ctx.set(dut.layer.heads, heads)
        ctx.set(dut.layer.head_slots, plan.head_slots)
        ctx.set(dut.layer.sweeps, kv_heads * plan.sweeps)
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for index, (head_slot, end) in enumerate(zip(head_slots, ends, strict=True)):
                assert ctx.get(dut.head_slot) == head_slot
                assert ctx.get(dut.sweep_ends) == end
                assert ctx.get(dut.layer_ends) == (index == len(head_slots) - 1)
                await ctx.tick()
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)

    run(dut, bench, max_cycles=400)
