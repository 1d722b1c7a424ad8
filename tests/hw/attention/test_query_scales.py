import numpy as np
import pytest

from tercel.numerics.float32 import multiply
from tercel_hw.attention import QueryScales
from tercel_sim.testbench import get_all, put_all, run


@pytest.mark.parametrize(
    ("lanes", "head_slots", "parents"),
    [(2, 1, [-1, 0]), (4, 3, [-1]), (4, 2, [-1, 0]), (3, 2, [-1, 0, 1]), (1, 1, [-1])],
)
def test_scales_of_sweeps(
    lanes, head_slots, parents, idle, back_pressure, shape_of, random_layer, bits
):
    config, rng = shape_of(nodes=lanes), np.random.default_rng(4)
    shape = {"kv_heads": 2, "head_slots": head_slots, "size": 16, "base": 0, "parents": parents}
    layers = [random_layer(rng, **shape) for _ in range(2)]
    factors = np.array([0.3, 1.7], np.float32)
    dut, nodes = QueryScales(config), len(parents)
    plan = layers[0].plan(lanes)

    async def commands(ctx):
        for layer, factor in zip(layers, bits(factors).tolist(), strict=True):
            ctx.set(dut.factor, factor)
            await put_all(ctx, dut.i_layer, [layer.fields(config)], idle)

    async def scales(ctx):
        for layer in layers:
            await put_all(ctx, dut.i, layer.query_scales(lanes), idle)

    async def take(ctx):
        sweeps = len(layers) * 2 * plan.sweeps
        return [list(p) for p in await get_all(ctx, dut.o, sweeps, back_pressure)]

    found = iter(run(dut, commands, scales, take, max_cycles=2000)[2])
    for layer, factor in zip(layers, factors, strict=True):
        products = bits(multiply(layer.q.scale, factor))
        for kv_head in range(2):
            for sweep in range(plan.sweeps):
                got = next(found)
                for head_slot in range(min(plan.head_slots, head_slots - sweep * plan.head_slots)):
                    head = kv_head * head_slots + sweep * plan.head_slots + head_slot
                    mine = got[head_slot * plan.lanes_per_head :][:nodes]
                    assert mine == products[:, head].tolist()


def test_latency_and_a_node_a_cycle(shape_of, random_layer):
    config, rng = shape_of(nodes=4), np.random.default_rng(5)
    shape = {"kv_heads": 3, "head_slots": 1, "size": 16, "base": 0, "parents": [-1, 0, 1]}
    layer = random_layer(rng, **shape)
    dut = QueryScales(config)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await put_all(ctx, dut.i_layer, [layer.fields(config)])
        ctx.set(dut.i.valid, 1)
        taken, offered = [], []
        for cycle in range(9 + dut.LATENCY + 1):
            _, _, ready, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
            taken += [cycle] * ready
            offered += [cycle] * valid
        return taken, offered

    ((taken, offered),) = run(dut, bench, max_cycles=100)
    assert taken == [2, 5, 8]
    assert offered == [cycle + dut.LATENCY for cycle in taken]
