from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.linear import dequantise
from tercel_hw.head import HeadConfig
from tercel_hw.head.lane_logits import QUEUE_ROWS, LaneLogits
from tercel_sim.testbench import get_all, put_all, run

CONFIG = HeadConfig(nodes=3, rows=256)
SWEEPS = [(16, 13, 3), (4, 4, 1), (1, 1, 2), (32, 1, 3)]
"""Rows, rows that count and lanes that do of each sweep."""
BLOCK, PAUSE = 16, 15 * 16


def commands(sweeps):
    return [{"rows": rows, "limit": limit, "nodes": nodes} for rows, limit, nodes in sweeps]


def operands(rows):
    """Sums and row scales."""
    rng = np.random.default_rng(7)
    sums = rng.integers(-(1 << 24), 1 << 24, (rows, CONFIG.nodes)).astype(np.int32)
    return sums, (rng.random(rows) * 0.01).astype(np.float32)


def test_rows_are_cut_into_lanes_and_those_beyond_the_limit_dropped(idle, back_pressure, bits):
    dut = LaneLogits(CONFIG)
    sums, scales = operands(sum(rows for rows, _, _ in SWEEPS))
    logits = bits(dequantise(sums, scales[:, None]))
    expected, first = [], 0
    for rows, limit, nodes in SWEEPS:
        expected += [
            (logits[first + row, lane], lane, row, (row, lane) == (limit - 1, nodes - 1))
            for row in range(limit)
            for lane in range(nodes)
        ]
        first += rows

    async def control(ctx):
        await put_all(ctx, dut.i_command, commands(SWEEPS))

    async def source(ctx):
        await put_all(ctx, dut.i_sum, sums.tolist(), idle)

    async def row_scales(ctx):
        await put_all(ctx, dut.i_scale, bits(scales).tolist(), idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(logit["value"], logit.lane, logit.row, logit.last) for logit in taken]

    results = run(dut, control, source, row_scales, sink, max_cycles=2000)
    assert results[3] == expected


def test_ternary_rows_pass_as_they_are_between_others(idle, back_pressure, bits):
    """Among them zeros of both signs, infinities and the tiniest numbers."""
    config = replace(CONFIG, ternary_rows=2)
    dut = LaneLogits(config)
    sums, scales = operands(6)
    sweeps = [(3, 3, 3), (4, 3, 3), (3, 2, 2), (2, 2, 3)]
    given = bits(np.random.default_rng(8).normal(0, 1, (6, config.nodes)).astype(np.float32))
    given[0] = [0x80000000, 0, 0x7F800000]
    given[1] = [0xFF800000, 0x00800000, 0x80800000]
    ours = bits(dequantise(sums, scales[:, None]))
    logits = [ours[:3], given[:4], ours[3:], given[4:]]
    expected = [
        (rows[row, lane], lane, row, (row, lane) == (limit - 1, nodes - 1))
        for rows, (_, limit, nodes) in zip(logits, sweeps, strict=True)
        for row in range(limit)
        for lane in range(nodes)
    ]

    async def control(ctx):
        offered = [{**c, "ternary": i % 2} for i, c in enumerate(commands(sweeps))]
        await put_all(ctx, dut.i_command, offered)

    async def source(ctx):
        await put_all(ctx, dut.i_sum, sums.tolist(), idle)

    async def row_scales(ctx):
        await put_all(ctx, dut.i_scale, bits(scales).tolist(), idle)

    async def rows(ctx):
        await put_all(ctx, dut.i_row, given.tolist(), idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(logit["value"], logit.lane, logit.row, logit.last) for logit in taken]

    results = run(dut, control, source, row_scales, rows, sink, max_cycles=1000)
    assert results[4] == expected


def test_listed_rows_pass_in_their_lanes_alone(idle, back_pressure, bits):
    """Ranks count a lane's logits to the entries of a top-k list, of other sweeps, too."""
    config = replace(CONFIG, ternary_rows=2, shortlist=32, top_k=2)
    dut = LaneLogits(config)
    sums, scales = operands(14)
    logits = bits(dequantise(sums, scales[:, None]))
    lists = [[(7, 0b101), (200, 0b010), (3, 0b111), (9, 0b001)], [(255, 0b100)]]
    whole = [(5, 4, 2), (4, 3, 3)]
    expected, first = [], 0

    def give(number, row, lanes, last):
        for lane in lanes:
            mine = (row, lane) == (last, lanes[-1])
            rank = sum(1 for each in given if each == lane)
            given.append(lane)
            value = logits[first + number, lane]
            expected.append((value, lane, row, mine, min(rank, 4)))

    commands, entries = [], []
    for (rows, limit, nodes), listed in zip(whole, lists, strict=True):
        sweep = {"rows": rows, "limit": limit, "nodes": nodes}
        given = []
        for row in range(limit):
            give(row, row, range(nodes), limit - 1)
        first += rows
        given = []
        for number, (row, mask) in enumerate(listed):
            lanes = [lane for lane in range(config.nodes) if mask >> lane & 1]
            give(number, row, lanes, listed[-1][0])
            entries.append({"row": row, "lanes": mask, "last": row == listed[-1][0]})
        first += len(listed)
        commands += [sweep | {"listed": 0}, sweep | {"listed": 1}]

    async def control(ctx):
        await put_all(ctx, dut.i_command, commands)

    async def source(ctx):
        await put_all(ctx, dut.i_sum, sums.tolist(), idle)

    async def row_scales(ctx):
        await put_all(ctx, dut.i_scale, bits(scales).tolist(), idle)

    async def listed_rows(ctx):
        await put_all(ctx, dut.i_listed, entries, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(each["value"], each.lane, each.row, each.last, each.rank) for each in taken]

    results = run(dut, control, source, row_scales, listed_rows, sink, max_cycles=1000)
    assert results[4] == expected


@pytest.mark.parametrize("nodes", [1, 3])
def test_bursts_are_taken_at_once_and_leave_at_a_lane_a_cycle(nodes, bits):
    dut = LaneLogits(CONFIG)
    blocks = 4
    sums, scales = operands(blocks * BLOCK)

    async def source(ctx):
        await put_all(ctx, dut.i_command, commands([(len(sums), len(sums), nodes)]))
        taken = []
        for row, lanes in enumerate(sums.tolist()):
            ctx.set(dut.i_sum.payload, lanes)
            ctx.set(dut.i_sum.valid, 1)
            assert ctx.get(dut.i_sum.ready)
            await ctx.tick()
            taken.append(row + row // BLOCK * (PAUSE - BLOCK))
            if row % BLOCK == BLOCK - 1:
                ctx.set(dut.i_sum.valid, 0)
                await ctx.tick().repeat(PAUSE - BLOCK)
        return taken

    async def row_scales(ctx):
        await put_all(ctx, dut.i_scale, bits(scales).tolist())

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        await ctx.tick().until(dut.i_command.valid)
        offered, cycle = [], 0
        while len(offered) < nodes * len(sums):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            offered += [cycle] * valid
            cycle += 1
        return offered

    taken, _, offered = run(dut, source, row_scales, sink, max_cycles=1500)
    expected = [
        taken[block * BLOCK] + dut.LATENCY + logit
        for block in range(blocks)
        for logit in range(nodes * BLOCK)
    ]
    assert offered == expected


def test_the_queue_holds_two_blocks_until_logits_are_taken(bits):
    dut = LaneLogits(CONFIG)
    sums, scales = operands(BLOCK)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, commands([(128, 128, 3)]))
        ctx.set(dut.i_scale.payload, bits(scales).tolist()[0])
        ctx.set(dut.i_sum.payload, sums.tolist()[0])
        ctx.set(dut.i_sum.valid, 1)
        for _ in range(QUEUE_ROWS):
            assert ctx.get(dut.i_sum.ready)
            await ctx.tick()
        assert not ctx.get(dut.i_sum.ready)
        # Without its scale a row cannot leave.
        ctx.set(dut.i_scale.valid, 1)
        for _ in range(CONFIG.nodes):
            assert not ctx.get(dut.i_sum.ready)
            await ctx.tick()
        assert ctx.get(dut.i_sum.ready)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(LaneLogits(HeadConfig()))
