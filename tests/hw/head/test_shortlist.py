# amaranth: UnusedElaboratable=no
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.head import HeadConfig
from tercel_hw.head.shortlist import Shortlist
from tercel_sim.testbench import get_all, put_all, run

CONFIG = HeadConfig(nodes=3, rows=200, ternary_rows=2, shortlist=64)
DEPTH = 4


def golden(scores, buckets):
    """The listed rows ``(row, lanes)`` of ``[rows, nodes]`` scores, in their order."""
    rows, nodes = scores.shape
    lanes = np.zeros(rows, int)
    for bucket in range(min(buckets, rows)):
        mine = np.arange(bucket, rows, buckets)
        for node in range(nodes):
            # A stable sort: of equal scores the lower row comes first.
            best = mine[np.argsort(-scores[mine, node], kind="stable")[:DEPTH]]
            lanes[best] |= 1 << node
    listed = np.flatnonzero(lanes)
    return [(row, lanes[row]) for row in sorted(listed, key=lambda row: (row % buckets, row))]


def draw(kind, rows, nodes, seed):
    rng = np.random.default_rng(seed)
    if kind == "few values":
        values = np.array([-np.inf, -1.5, -0.0, 0.0, 1e-38, 2.5, np.inf], np.float32)
        return rng.choice(values, (rows, nodes))
    scores = rng.normal(0, 1, (rows, nodes)).astype(np.float32)
    if kind == "rising":
        return np.sort(scores, axis=0)
    return scores


SWEEPS = [
    # Rows, limit, nodes, buckets.
    (64, 50, 3, 16),
    (70, 70, 1, 8),
    (33, 33, 2, 16),
    (16, 5, 3, 8),
    (1, 1, 1, 16),
    (120, 120, 3, 8),
    (16, 16, 2, 16),
]


@pytest.mark.parametrize("kind", ["random", "few values", "rising"])
def test_every_lane_lists_the_best_rows_of_each_bucket(kind, idle, back_pressure, bits):
    dut = Shortlist(CONFIG)
    commands, given, expected = [], [], []
    for seed, (rows, limit, nodes, buckets) in enumerate(SWEEPS):
        commands.append({"rows": rows, "limit": limit, "nodes": nodes, "buckets": buckets})
        scores = draw(kind, rows, CONFIG.nodes, seed)
        given += bits(scores).tolist()
        listed = golden(scores[:limit, :nodes], buckets)
        for node in range(nodes):
            mine = sum(int(lanes) >> node & 1 for _, lanes in listed)
            assert mine == min(DEPTH * buckets, limit)
        last = len(listed) - 1
        expected += [(*each, place == last) for place, each in enumerate(listed)]

    async def control(ctx):
        await put_all(ctx, dut.i_command, commands)

    async def source(ctx):
        await put_all(ctx, dut.i, given, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(each.row, each.lanes, each.last) for each in taken]

    assert run(dut, control, source, sink, max_cycles=20_000)[2] == expected


@pytest.mark.parametrize("nodes", [1, 3])
def test_the_cycles_are_exact(nodes, bits):
    dut = Shortlist(CONFIG)
    rows, limit, buckets = 48, 40, 8
    scores = draw("random", rows, CONFIG.nodes, 5)
    listed = golden(scores[:limit, :nodes], buckets)

    async def source(ctx):
        command = {"rows": rows, "limit": limit, "nodes": nodes, "buckets": buckets}
        await put_all(ctx, dut.i_command, [command])
        ctx.set(dut.i.valid, 1)
        taken = []
        cycle = 0
        for lanes in bits(scores).tolist():
            ctx.set(dut.i.payload, lanes)
            while True:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                cycle += 1
                if ready:
                    break
            taken.append(cycle)
        ctx.set(dut.i.valid, 0)
        assert taken == [
            min(row, limit) * nodes + max(0, row - limit) for row in range(1, rows + 1)
        ]
        ctx.set(dut.o.ready, 1)
        offered, cycle = [], 0
        while len(offered) < len(listed):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            cycle += 1
            offered += [cycle] * valid
        return offered

    cycles = nodes + Shortlist.PASS
    # A row leaves in the pass after its own, or in a later one if its bucket ends.
    passes = []
    for (row, _), (following, _) in pairwise(listed):
        passes.append(1 + (row % buckets != following % buckets))
    expected = [Shortlist.WRITE + cycles * (1 + number) for number in np.cumsum([0, *passes])[1:]]
    expected.append(expected[-1] + cycles + 1)
    offered = run(dut, source, max_cycles=8000)[0]
    assert offered == expected


def test_a_shortlist_is_a_power_of_two_of_ternary_rows():
    with pytest.raises(ValueError, match=r"shortlist must be a power of two in 32\.\.4096, not 48"):
        replace(CONFIG, shortlist=48)
    with pytest.raises(ValueError, match="ternary_rows must be given with a shortlist"):
        HeadConfig(shortlist=64)
    with pytest.raises(ValueError, match="shortlist must not be 0 for a block of shortlists"):
        Shortlist(HeadConfig())


def test_the_kv260_shape_converts():
    config = HeadConfig(rows=1 << 18, ternary_rows=512, shortlist=1024)
    assert "module" in rtlil.convert(Shortlist(config))
