import numpy as np
import pytest

from tercel_hw.attention import QueryLoader
from tercel_sim.testbench import put_all, run


def vectors_of(config, layer):
    """Golden: ``[slices, macs, lanes]`` and which of them are written."""
    macs, lanes = config.dense.macs, config.nodes
    plan, slices = layer.plan(lanes), layer.slices(macs)
    values = layer.q.values
    nodes, heads, size = values.shape
    found = np.zeros((config.dense.slices, macs, lanes), np.int64)
    written = np.zeros_like(found, bool)
    for head in range(heads):
        kv_head, inside = divmod(head, layer.head_slots)
        sweep, head_slot = divmod(inside, plan.head_slots)
        first = (kv_head * plan.sweeps + sweep) * slices.count
        for node in range(nodes):
            lane = head_slot * plan.lanes_per_head + node
            padded = np.pad(values[node, head], (0, sum(slices.sizes()) - size))
            at = 0
            for index, width in enumerate(slices.sizes()):
                for copy in range(macs // width):
                    place = slice(copy * width, (copy + 1) * width)
                    found[first + index, place, lane] = padded[at : at + width]
                    written[first + index, place, lane] = True
                at += width
    return found, written


@pytest.mark.parametrize(
    ("macs", "size", "lanes", "head_slots", "parents"),
    [
        (16, 48, 2, 1, [-1, 0]),
        (32, 48, 4, 3, [-1]),
        (64, 96, 4, 2, [-1, 0]),
        (64, 80, 3, 2, [-1]),
        (64, 16, 1, 1, [-1]),
    ],
)
def test_queries_become_vectors(
    macs, size, lanes, head_slots, parents, idle, shape_of, random_layer
):
    config, rng = shape_of(macs=macs, nodes=lanes, slices=24), np.random.default_rng(2)
    shape = {"kv_heads": 2, "head_slots": head_slots, "size": size, "base": 0, "parents": parents}
    layers = [random_layer(rng, **shape) for _ in range(2)]
    dut, vectors, sweeps = QueryLoader(config), [], []

    async def commands(ctx):
        await put_all(ctx, dut.i_layer, [layer.fields(config) for layer in layers], idle)

    async def columns(ctx):
        for layer in layers:
            await put_all(ctx, dut.i, layer.columns(lanes), idle)

    async def watch(ctx):
        wanted = layers[0].plan(lanes).sweeps * 2
        half = macs // 2
        for _ in layers:
            found, seen = vectors_of(config, layers[0])
            found[:], seen[:] = 0, False
            ends = []
            while len(ends) < wanted:
                _, _, valid, column, end = await ctx.tick().sample(
                    dut.o.valid, dut.o.payload, dut.o_sweep
                )
                if valid:
                    mine = [lane for lane in range(lanes) if column.lanes >> lane & 1]
                    for index in {column.index, column.index + half * column.half}:
                        for lane in mine:
                            found[column.slice, index, lane] = column["values"][lane]
                            seen[column.slice, index, lane] = True
                ends += [column.slice] if end else []
            vectors.append((found, seen))
            sweeps.append(ends)

    run(dut, commands, columns, watch, max_cycles=3000)
    for layer, (found, seen), ends in zip(layers, vectors, sweeps, strict=True):
        expected, written = vectors_of(config, layer)
        assert (seen == written).all()
        assert (found == expected).all()
        count = layer.slices(macs).count
        assert ends == [(sweep + 1) * count - 1 for sweep in range(len(ends))]


def test_a_column_a_cycle(shape_of, random_layer):
    config, rng = shape_of(macs=64), np.random.default_rng(3)
    layer = random_layer(rng, kv_heads=2, head_slots=1, size=80, base=0, parents=[-1])
    dut, taken = QueryLoader(config), []

    async def bench(ctx):
        await put_all(ctx, dut.i_layer, [layer.fields(config)])
        columns = iter(layer.columns(2))
        ctx.set(dut.i.payload, next(columns))
        ctx.set(dut.i.valid, 1)
        for _ in range(2 * 96):
            _, _, ready, offered = await ctx.tick().sample(dut.i.ready, dut.o.valid)
            assert offered
            taken.append(ready)
            if ready and (payload := next(columns, None)):
                ctx.set(dut.i.payload, payload)

    run(dut, bench, max_cycles=300)
    # A head's 80 columns, then 16 of zeros.
    assert taken == ([1] * 80 + [0] * 16) * 2
