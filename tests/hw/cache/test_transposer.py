import numpy as np
import pytest

from tercel_hw.cache import Transposer
from tercel_sim.testbench import get_all, put_all, run

SIZES = [48, 16, 32, 16, 48]


def random_rows(config, sizes):
    """``[lanes, size]`` of each head."""
    rng = np.random.default_rng(len(sizes))
    return [rng.integers(-128, 128, (config.vector.nodes, size)).astype(np.int8) for size in sizes]


def columns(heads):
    return [
        {"values": head[:, index].tolist(), "last": index == head.shape[1] - 1}
        for head in heads
        for index in range(head.shape[1])
    ]


def pieces(config, heads, nodes):
    """Golden: granules in order and the last of each head."""
    cut = []
    for head, count in zip(heads, nodes, strict=True):
        granules = head[:count].tobytes()
        starts = range(0, len(granules), config.port_bytes)
        cut += [
            (granules[at : at + config.port_bytes], at + config.port_bytes == len(granules))
            for at in starts
        ]
    return cut


def told(config, heads, nodes):
    return [
        {"nodes": count, "granules": head.shape[1] // config.port_bytes}
        for head, count in zip(heads, nodes, strict=True)
    ]


@pytest.mark.parametrize(("lanes", "port_bytes"), [(1, 16), (3, 8), (4, 16)])
def test_columns_become_rows(shape_of, idle, back_pressure, lanes, port_bytes):
    config = shape_of(nodes=lanes, port_bytes=port_bytes)
    transposer, heads = Transposer(config), random_rows(config, SIZES)
    nodes = [1 + index % lanes for index in range(len(heads))]
    wanted = pieces(config, heads, nodes)

    async def source(ctx):
        await put_all(ctx, transposer.i, columns(heads), idle)

    async def rows(ctx):
        await put_all(ctx, transposer.i_rows, told(config, heads, nodes), idle)

    async def sink(ctx):
        return await get_all(ctx, transposer.o, len(wanted), back_pressure)

    *_, taken = run(transposer, source, rows, sink, max_cycles=1200)
    got = [(piece.data.to_bytes(port_bytes, "little"), bool(piece.last)) for piece in taken]
    assert got == wanted
    assert {piece.strobe for piece in taken} == {(1 << port_bytes) - 1}


def test_a_column_and_a_granule_a_cycle(shape_of):
    """8 rows of 6 granules are as many granules as columns."""
    config = shape_of(nodes=8, port_bytes=8)
    transposer, heads = Transposer(config), random_rows(config, [48] * 4)
    entered, left, cycles = [], [], [0]

    async def source(ctx):
        await put_all(ctx, transposer.i, columns(heads))

    async def rows(ctx):
        await put_all(ctx, transposer.i_rows, told(config, heads, [8] * 4))

    async def sink(ctx):
        ctx.set(transposer.o.ready, 1)
        while len(left) < 4 * 48:
            columns, granules = transposer.i, transposer.o
            *_, taken, given = await ctx.tick().sample(
                columns.valid & columns.ready, granules.valid & granules.ready
            )
            entered.extend([cycles[0]] * taken)
            left.extend([cycles[0]] * given)
            cycles[0] += 1

    run(transposer, source, rows, sink, max_cycles=400)
    assert entered == list(range(4 * 48))
    assert left == [47 + transposer.LATENCY + index for index in range(4 * 48)]


def test_two_heads_wait_at_most(shape_of):
    config = shape_of()
    transposer, heads = Transposer(config), random_rows(config, [16] * 3)

    async def source(ctx):
        await put_all(ctx, transposer.i, columns(heads)[:32])
        assert not ctx.get(transposer.i.ready)
        await put_all(ctx, transposer.i_rows, told(config, heads[:1], [1]))
        await ctx.tick().repeat(5)
        assert ctx.get(transposer.i.ready)

    run(transposer, source, max_cycles=100)
