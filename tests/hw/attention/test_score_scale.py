import numpy as np
from amaranth.back import rtlil

from tercel.numerics.float32 import bfloat16_value, fixed, multiply
from tercel_hw.attention import ScoreScale
from tercel_sim.testbench import get_all, put_all, run

SWEEPS = [9, 5, 1]


def test_it_equals_the_golden_model(config, idle, back_pressure, scales_of, bits):
    rng = np.random.default_rng(6)
    dut = ScoreScale(config)
    query_scales = [(rng.random(2) * 0.01).astype(np.float32) for _ in SWEEPS]
    most = config.dense.totals * config.dense.macs * 127 * 127
    sums = [rng.integers(-most, most + 1, (sweep, 2)).astype(np.int32) for sweep in SWEEPS]
    sums[0][:2] = [[most, -most], [0, 1]]
    keys = [scales_of(rng, positions) for positions in SWEEPS]
    values = [scales_of(rng, positions) for positions in SWEEPS]
    expected = []
    for query, acc, key, value in zip(query_scales, sums, keys, values, strict=True):
        factor = multiply(query, bfloat16_value(key)[:, None])
        scores = fixed(multiply(acc.astype(np.float32), factor), 9, 18)
        expected += zip(scores.tolist(), value.tolist(), strict=True)

    async def commands(ctx):
        await put_all(ctx, dut.i_sweep, SWEEPS, idle)

    async def feed_queries(ctx):
        await put_all(ctx, dut.i_query_scales, [bits(query).tolist() for query in query_scales])

    async def feed_sums(ctx):
        await put_all(ctx, dut.i_sum, np.vstack(sums).tolist(), idle)

    async def feed_scales(ctx):
        pairs = zip(np.concatenate(keys), np.concatenate(values), strict=True)
        await put_all(ctx, dut.i_scales, [{"key": int(k), "value": int(v)} for k, v in pairs], idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        return [(list(payload.scores), payload.value_scale) for payload in taken]

    benches = commands, feed_queries, feed_sums, feed_scales, sink
    assert run(dut, *benches, max_cycles=1000)[4] == expected


def test_latency_and_one_position_a_cycle(config):
    dut = ScoreScale(config)
    ports = dut.i_sweep, dut.i_query_scales, dut.i_sum, dut.i_scales

    async def bench(ctx):
        ctx.set(dut.i_sweep.payload, 12)
        for port in ports:
            ctx.set(port.valid, 1)
        ctx.set(dut.o.ready, 1)
        taken, offered = [], []
        for cycle in range(26 + dut.LATENCY):
            _, _, ready, valid = await ctx.tick().sample(dut.i_sum.ready, dut.o.valid)
            taken += [cycle] * ready
            offered += [cycle] * valid
        return taken, offered

    ((taken, offered),) = run(dut, bench, max_cycles=100)
    # A cycle between sweeps.
    assert taken[:24] == [*range(1, 13), *range(14, 26)]
    assert offered == [cycle + dut.LATENCY for cycle in taken if cycle < 26]


def test_it_converts(config):
    assert "module" in rtlil.convert(ScoreScale(config))
