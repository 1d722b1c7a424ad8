import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import top_k
from tercel_hw.head import HeadConfig, TopK
from tercel_sim.testbench import get_all, run

CONFIG = HeadConfig(nodes=2, rows=64, best=5)


def walks():
    rng = np.random.default_rng(9)
    yield rng.standard_normal((2, 50)).astype(np.float32)
    yield rng.choice(np.array([0.0, -0.0, 1.0, -1.0, 2.5], np.float32), (2, 40))
    yield np.arange(24, dtype=np.float32).reshape(2, 12)
    yield -np.arange(24, dtype=np.float32).reshape(2, 12)
    yield np.array([[-0.0, 0.0] * 5, [0.0, -0.0] * 5], np.float32)


def test_it_equals_the_golden_model(idle, back_pressure, through, payloads_of):
    unscaled = list(walks())
    payloads = [payload for walk in unscaled for payload in payloads_of(walk)]
    count = CONFIG.best * len(unscaled)
    results = through(TopK(CONFIG), payloads, count, idle, back_pressure)
    rows = np.array([list(result.rows) for result in results])
    values = np.array([list(result["values"]) for result in results], np.uint32).view(np.float32)
    for index, walk in enumerate(unscaled):
        best = top_k(walk, CONFIG.best)
        part = slice(index * CONFIG.best, (index + 1) * CONFIG.best)
        assert (best == rows[part].T).all()
        assert (np.take_along_axis(walk, best, 1) == values[part].T).all()
    assert [result.last for result in results] == [0, 0, 0, 0, 1] * len(unscaled)


def test_few_rows_give_few_ranks(through, payloads_of):
    walk = np.array([[1.0, 3.0, 2.0], [1.0, 1.0, 1.0]], np.float32)
    results = through(TopK(CONFIG), payloads_of(walk), 3, lambda: True, lambda: True)
    assert [list(result.rows) for result in results] == [[1, 0], [2, 1], [0, 2]]
    assert [result.last for result in results] == [0, 0, 1]


@pytest.mark.parametrize(("values", "cycles"), [("falling", 1), ("rising", CONFIG.best + 1)])
def test_cycles_of_a_row(values, cycles, payloads_of):
    dut = TopK(CONFIG)
    ramp = np.arange(20, dtype=np.float32) * (1 if values == "rising" else -1)
    payloads = payloads_of(np.stack([ramp, ramp]))

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        taken = []
        for payload in payloads:
            ctx.set(dut.i.payload, payload)
            cycle = taken[-1] + 1 if taken else 0
            while not ctx.get(dut.i.ready):
                await ctx.tick()
                cycle += 1
            await ctx.tick()
            taken.append(cycle)
        ctx.set(dut.i.valid, 0)
        return taken

    async def sink(ctx):
        await get_all(ctx, dut.o, CONFIG.best)

    taken = run(dut, source, sink, max_cycles=400)[0]
    # When the list is full.
    assert set(np.diff(taken[CONFIG.best + 1 :])) == {cycles}


def test_latency_if_the_last_row_does_not_enter(payloads_of):
    dut = TopK(CONFIG)
    payloads = payloads_of(-np.ones((2, 1), np.float32) * np.arange(12, dtype=np.float32))

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for payload in payloads:
            ctx.set(dut.i.payload, payload)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        ctx.set(dut.o.ready, 1)
        for rank in range(CONFIG.best):
            assert ctx.get(dut.o.valid)
            assert list(ctx.get(dut.o.payload.rows)) == [rank, rank]
            await ctx.tick()
        assert not ctx.get(dut.o.valid)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(TopK(HeadConfig()))
