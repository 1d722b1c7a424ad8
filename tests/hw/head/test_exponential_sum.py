import numpy as np
from amaranth.back import rtlil

from tercel.numerics import exponential_sum
from tercel.numerics.float32 import fixed, multiply
from tercel.numerics.functions import LOG2_E, exp2_significands
from tercel_hw.head import ExponentialSum, HeadConfig
from tercel_sim.testbench import get_all, put_all, run

CONFIG = HeadConfig(nodes=2, rows=256)


def walks():
    rng = np.random.default_rng(10)
    yield rng.normal(0, 3, (2, 60)).astype(np.float32)
    yield rng.choice(np.array([-400, -20, -19.9, 0, 19.4, 300], np.float32), (2, 30))
    yield np.full((2, 40), -170, np.float32)
    yield np.array([[-177.4] * 9 + [-177.0], [177.0] * 10], np.float32)
    yield np.array([[1.5], [-3.0]], np.float32)


def exponents_of(unscaled, scale):
    return fixed(multiply(unscaled, multiply(scale, LOG2_E)[:, None]), 9, 18).T.tolist()


def payloads_of(unscaled, scale):
    rows = exponents_of(unscaled, scale)
    return [{"exponents": t, "last": row == len(rows) - 1} for row, t in enumerate(rows)]


def test_it_equals_the_golden_model(idle, back_pressure, through):
    scale = np.array([1.0, 0.75], np.float32)
    unscaled = list(walks())
    payloads = [payload for walk in unscaled for payload in payloads_of(walk, scale)]
    results = through(ExponentialSum(CONFIG), payloads, len(unscaled), idle, back_pressure)
    for walk, result in zip(unscaled, results, strict=True):
        golden = exponential_sum(walk, scale)
        assert list(result.octaves) == golden.octave.tolist()
        assert list(result.totals) == golden.total.tolist()


def test_latency_and_one_row_a_cycle():
    dut = ExponentialSum(CONFIG)
    payloads = payloads_of(next(walks()), np.ones(2, np.float32))

    async def bench(ctx):
        for _ in range(dut.CLEAR_CYCLES):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 1)
        for payload in payloads:
            ctx.set(dut.i.payload, payload)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid)

    run(dut, bench, max_cycles=800)


def test_bins_take_many_rows_of_one_octave():
    dut = ExponentialSum(CONFIG)
    rows = 300

    async def source(ctx):
        payload = {"exponents": [511, -1], "last": 0}
        await put_all(ctx, dut.i, [payload] * (rows - 1) + [payload | {"last": 1}])

    async def sink(ctx):
        return await get_all(ctx, dut.o, 1)

    (result,) = run(dut, source, sink, max_cycles=1200)[1]
    assert list(result.totals) == [rows * int(exp2_significands()[-1]) << 28] * 2
    assert list(result.octaves) == [0, -1]


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(ExponentialSum(HeadConfig()))
