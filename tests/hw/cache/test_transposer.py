import numpy as np
import pytest

from tercel.program import Slices
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


def slices(config, head):
    return Slices(word_bytes=config.vector.word_bytes, elements=head.shape[1])


def pieces(config, heads, nodes):
    """Golden: granules (none where a row has no more) in order and the last of each slice."""
    cut = []
    for head, count in zip(heads, nodes, strict=True):
        before = 0
        for size in slices(config, head).sizes():
            starts = [
                (row, before + at)
                for row in range(count)
                for at in range(0, size, config.port_bytes)
            ]
            cut += [
                (head[row, at : at + config.port_bytes].tobytes(), (row, at) == starts[-1])
                for row, at in starts
            ]
            before += size
    return cut


def commands_of(config, heads, nodes):
    return [
        {
            "nodes": count,
            "granules": head.shape[1] // config.port_bytes,
            "full": slices(config, head).full,
            "half": slices(config, head).half,
        }
        for head, count in zip(heads, nodes, strict=True)
    ]


@pytest.mark.parametrize(
    ("lanes", "ports", "port_bytes"), [(1, 1, 16), (3, 2, 8), (4, 2, 16), (2, 4, 16)]
)
def test_columns_become_rows(shape_of, idle, back_pressure, lanes, ports, port_bytes):
    config = shape_of(nodes=lanes, ports=ports, port_bytes=port_bytes)
    transposer, heads = Transposer(config), random_rows(config, SIZES)
    nodes = [1 + index % lanes for index in range(len(heads))]
    wanted = pieces(config, heads, nodes)

    async def source(ctx):
        await put_all(ctx, transposer.i, columns(heads), idle)

    async def rows(ctx):
        await put_all(ctx, transposer.i_rows, commands_of(config, heads, nodes), idle)

    async def sink(ctx):
        return await get_all(ctx, transposer.o, len(wanted), back_pressure)

    *_, taken = run(transposer, source, rows, sink, max_cycles=1200)
    assert {piece.strobe for piece in taken} <= {0, (1 << port_bytes) - 1}
    got = [
        (piece.data.to_bytes(port_bytes, "little") if piece.strobe else b"", bool(piece.last))
        for piece in taken
    ]
    assert got == wanted


def test_a_column_and_a_granule_a_cycle(shape_of):
    """8 rows of 6 granules are as many granules as columns."""
    config = shape_of(nodes=8, port_bytes=8)
    transposer, heads = Transposer(config), random_rows(config, [48] * 4)
    entered, left, cycles = [], [], [0]

    async def source(ctx):
        await put_all(ctx, transposer.i, columns(heads))

    async def rows(ctx):
        await put_all(ctx, transposer.i_rows, commands_of(config, heads, [8] * 4))

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
        await put_all(ctx, transposer.i_rows, commands_of(config, heads[:1], [1]))
        await ctx.tick().repeat(5)
        assert ctx.get(transposer.i.ready)

    run(transposer, source, max_cycles=100)
