import numpy as np
from amaranth.back import rtlil

from tercel.numerics.float32 import bfloat16_value, fixed, multiply
from tercel_hw.attention import ScoreScale
from tercel_sim.testbench import get_all, put_all, run

WALKS = [(9, 2), (5, 1), (1, 2)]


def test_it_equals_the_golden_model(config, idle, back_pressure, scales_of, bits):
    rng = np.random.default_rng(6)
    dut = ScoreScale(config)
    query_scales = (rng.random((2, 2)) * 0.01).astype(np.float32)
    sums = [rng.integers(-(10**6), 10**6, (*walk, 2)).astype(np.int32) for walk in WALKS]
    sums[0][0] = [[1 << 24, (1 << 24) + 1], [-(1 << 31), (1 << 31) - 1]]
    keys = [scales_of(rng, positions) for positions, _ in WALKS]
    values = [scales_of(rng, positions) for positions, _ in WALKS]
    expected = []
    for (_, turns), acc, key, value in zip(WALKS, sums, keys, values, strict=True):
        factor = multiply(query_scales[:turns], bfloat16_value(key)[:, None, None])
        scores = fixed(multiply(acc.astype(np.float32), factor), 9, 18)
        expected += [
            (lanes.tolist(), int(scale))
            for position, scale in zip(scores, value, strict=True)
            for lanes in position
        ]

    async def commands(ctx):
        writes = [
            {"turn": turn, "lane": lane, "value": int(bits(query_scales)[turn, lane])}
            for turn in range(2)
            for lane in range(2)
        ]
        await put_all(ctx, dut.i_query_scale, writes)
        for positions, turns in WALKS:
            walk = {"past": positions - 1, "nodes": 1, "turns": turns, "ancestors": [1, 0]}
            await put_all(ctx, dut.i_walk, [walk])

    async def feed_sums(ctx):
        flat = [lanes.tolist() for acc in sums for lanes in acc.reshape(-1, 2)]
        await put_all(ctx, dut.i_sum, flat, idle)

    async def feed_scales(ctx):
        pairs = zip(np.concatenate(keys), np.concatenate(values), strict=True)
        await put_all(ctx, dut.i_scales, [{"key": int(k), "value": int(v)} for k, v in pairs], idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(list(payload.scores), payload.value_scale) for payload in taken]

    assert run(dut, commands, feed_sums, feed_scales, sink, max_cycles=1000)[3] == expected


def test_latency_and_one_turn_a_cycle(config):
    dut = ScoreScale(config)

    async def bench(ctx):
        await put_all(ctx, dut.i_walk, [{"past": 11, "nodes": 1, "turns": 2, "ancestors": [1, 0]}])
        for port in dut.i_sum, dut.i_scales:
            ctx.set(port.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(24 + dut.LATENCY):
            if cycle < 24:
                assert ctx.get(dut.i_sum.ready)
                assert ctx.get(dut.i_scales.ready) == cycle % 2
            else:
                assert not ctx.get(dut.i_sum.ready)
            assert ctx.get(dut.o.valid) == (cycle >= dut.LATENCY)
            await ctx.tick()
        assert not ctx.get(dut.o.valid)

    run(dut, bench, max_cycles=200)


def test_it_converts(config):
    assert "module" in rtlil.convert(ScoreScale(config))
