import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics.float32 import fixed, multiply
from tercel.numerics.functions import LOG2_E
from tercel_hw.head import HeadConfig
from tercel_hw.head.exponent_scale import ExponentScale
from tercel_sim.testbench import get_all, put_all, run


@pytest.mark.parametrize("nodes", [1, 3, 8])
def test_it_equals_the_golden_model(nodes, idle, bits, payloads_of):
    dut = ExponentScale(HeadConfig(nodes=nodes, rows=64))
    rng = np.random.default_rng(nodes)
    scales = rng.random((2, nodes)).astype(np.float32)
    scales[1, 0] = 0
    unscaled = rng.normal(0, 100, (2, nodes, 20)).astype(np.float32)
    unscaled[0, :, :5] = [0, 3e5, -3e5, 1e-30, -1]

    async def source(ctx):
        for values, logits in zip(bits(scales).tolist(), unscaled, strict=True):
            payloads = [{"value": value, "lane": lane} for lane, value in enumerate(values)]
            await put_all(ctx, dut.i_scale, payloads, idle)
            await ctx.tick().until(~dut.busy)
            await put_all(ctx, dut.i, payloads_of(logits), idle)

    async def sink(ctx):
        return await get_all(ctx, dut.o, unscaled.size)

    taken = run(dut, source, sink, max_cycles=1000)[1]
    factors = multiply(scales, LOG2_E)
    golden = fixed(multiply(unscaled, factors[..., None]), 9, 18)
    assert [t["value"] for t in taken] == golden.transpose(0, 2, 1).reshape(-1).tolist()
    assert [t.lane for t in taken] == list(range(nodes)) * 40
    assert [t.last for t in taken] == ([0] * (20 * nodes - 1) + [1]) * 2


def test_latency_and_how_long_scales_are_under_way():
    dut = ExponentScale(HeadConfig(nodes=2, rows=64))

    async def bench(ctx):
        await put_all(ctx, dut.i_scale, [{"lane": 1, "value": 0}])
        for _ in range(7):
            assert ctx.get(dut.busy)
            await ctx.tick()
        assert not ctx.get(dut.busy)
        await put_all(ctx, dut.i, [{"lane": 1, "value": 0}])
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid)
        await ctx.tick()
        assert not ctx.get(dut.o.valid)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(ExponentScale(HeadConfig()))
