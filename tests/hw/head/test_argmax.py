import numpy as np
from amaranth.back import rtlil

from tercel.numerics import argmax
from tercel_hw.head import Argmax, HeadConfig
from tercel_sim.testbench import run

CONFIG = HeadConfig(nodes=3, rows=64)
CORNERS = np.array([0.0, -0.0, 1.0, -1.0, 2.0**-126, -(2.0**-126), 3e38, -3e38, 1.0], np.float32)


def walks():
    rng = np.random.default_rng(8)
    yield rng.standard_normal((3, 40)).astype(np.float32)
    yield rng.choice(CORNERS, (3, 25))
    yield np.array([[-0.0, 0.0], [0.0, -0.0], [-1.0, -2.0]], np.float32)
    yield np.array([[-3.0], [-0.0], [7.0]], np.float32)
    yield np.array([[-5.0, -4.0, -4.0]] * 3, np.float32)


def test_it_equals_the_golden_model(idle, back_pressure, through, payloads_of):
    unscaled = list(walks())
    payloads = [payload for walk in unscaled for payload in payloads_of(walk)]
    results = through(Argmax(CONFIG), payloads, len(unscaled), idle, back_pressure)
    for walk, result in zip(unscaled, results, strict=True):
        rows = argmax(walk)
        assert list(result.rows) == rows.tolist()
        values = np.array(list(result["values"]), np.uint32).view(np.float32)
        assert (values == walk[np.arange(3), rows]).all()
        assert result.last == 1


def test_latency_and_one_row_a_cycle(payloads_of):
    dut = Argmax(CONFIG)
    payloads = payloads_of(np.arange(36, dtype=np.float32).reshape(3, 12))

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for payload in payloads:
            ctx.set(dut.i.payload, payload)
            assert ctx.get(dut.i.ready)
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        assert ctx.get(dut.o.valid)
        assert list(ctx.get(dut.o.payload.rows)) == [11] * 3

    run(dut, bench, max_cycles=50)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(Argmax(HeadConfig()))
