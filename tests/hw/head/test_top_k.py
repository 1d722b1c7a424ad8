import numpy as np
import pytest
from amaranth.back import rtlil
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tercel.numerics import argmax, top_k
from tercel_hw.head import HeadConfig, TopK
from tercel_hw.head.top_k import PLACES
from tercel_sim.testbench import every_cycle, put_all, run

CONFIG = HeadConfig(nodes=2, rows=64, top_k=5)
CORNERS = np.array([0.0, -0.0, 1.0, -1.0, 2.0**-126, -(2.0**-126), 3e38, -3e38], np.float32)


def sweeps():
    rng = np.random.default_rng(9)
    yield rng.standard_normal((2, 50)).astype(np.float32)
    yield rng.choice(CORNERS, (2, 40))
    yield np.arange(24, dtype=np.float32).reshape(2, 12)
    yield -np.arange(24, dtype=np.float32).reshape(2, 12)
    yield np.array([[-0.0, 0.0] * 5, [0.0, -0.0] * 5], np.float32)
    yield np.array([[-3.0], [7.0]], np.float32)
    yield rng.standard_normal((1, 40)).astype(np.float32)


def listed(config, unscaled, size, payloads_of, idle=every_cycle):
    """Rows and values of each sweep's lists, ``[nodes, ranks]``."""
    dut = TopK(config)

    async def bench(ctx):
        found = []
        ctx.set(dut.size, size)
        for sweep in unscaled:
            await put_all(ctx, dut.i, payloads_of(sweep), idle)
            while not ctx.get(dut.idle):
                await ctx.tick()
            entries = np.zeros((2, len(sweep), min(size, sweep.shape[1])), np.int64)
            ctx.set(dut.read, 1)
            places = list(np.ndindex(entries.shape[1:]))
            for count, (lane, rank) in enumerate([*places, (0, 0)]):
                ctx.set(dut.rank, {"lane": lane, "rank": rank})
                await ctx.tick()
                entry = ctx.get(dut.entry)
                if count:
                    shown, place = places[count - 1]
                    entries[:, shown, place] = entry.row, entry["value"]
            ctx.set(dut.read, 0)
            found.append((entries[0], entries[1].astype(np.uint32).view(np.float32)))
        return found

    (found,) = run(dut, bench, max_cycles=20000)
    return found


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_it_equals_the_golden_model(size, idle, payloads_of):
    unscaled = list(sweeps())
    found = listed(CONFIG, unscaled, size, payloads_of, idle)
    for sweep, (rows, values) in zip(unscaled, found, strict=True):
        best = top_k(sweep, min(size, sweep.shape[1]))
        assert (rows == best).all()
        assert (values == np.take_along_axis(sweep, best, 1)).all()
        assert (rows[:, 0] == argmax(sweep)).all()


# No shrinking: every try is a simulation, and a failure names its operands.
@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    rows=st.lists(st.sampled_from(range(-5, 6)), min_size=1, max_size=60),
    size=st.integers(1, 14),
    nodes=st.integers(1, 3),
)
def test_ties_of_few_values(payloads_of, rows, size, nodes):
    config = HeadConfig(nodes=nodes, rows=64, top_k=14)
    sweep = np.stack([np.roll(np.array(rows, np.float32), lane) for lane in range(nodes)])
    ((found, _),) = listed(config, [sweep], size, payloads_of)
    assert (found == top_k(sweep, min(size, len(rows)))).all()


@pytest.mark.parametrize(("values", "cycles"), [("falling", 1), ("rising", 1 + 3 + 1)])
def test_cycles_of_a_logit(values, cycles, payloads_of):
    dut = TopK(CONFIG)
    ramp = np.arange(20, dtype=np.float32) * (1 if values == "rising" else -1)

    async def source(ctx):
        ctx.set(dut.size, CONFIG.top_k)
        ctx.set(dut.i.valid, 1)
        taken, cycle = [], 0
        for payload in payloads_of(np.stack([ramp, ramp])):
            ctx.set(dut.i.payload, payload)
            while not ctx.get(dut.i.ready):
                await ctx.tick()
                cycle += 1
            await ctx.tick()
            taken.append(cycle)
            cycle += 1
        ctx.set(dut.i.valid, 0)
        return taken

    (taken,) = run(dut, source, max_cycles=600)
    # When the two words of both lists are full.
    assert set(np.diff(taken[2 * 2 * PLACES + 2 :])) == {cycles}


def test_it_is_idle_when_the_last_logit_has_its_place(payloads_of):
    dut = TopK(CONFIG)

    async def bench(ctx):
        ctx.set(dut.size, 3)
        assert ctx.get(dut.idle)
        await put_all(ctx, dut.i, payloads_of(np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)))
        # Row 2 goes into its word, then row 3 is looked at and goes, too.
        for _ in range(3 + 1 + 3):
            assert not ctx.get(dut.idle)
            await ctx.tick()
        assert ctx.get(dut.idle)
        await put_all(ctx, dut.i, [{"value": 0, "lane": 0, "row": 4, "last": 1}])
        assert not ctx.get(dut.idle)
        await ctx.tick()
        assert ctx.get(dut.idle)

    run(dut, bench, max_cycles=100)


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(TopK(HeadConfig()))
