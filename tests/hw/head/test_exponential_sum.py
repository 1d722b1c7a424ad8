import numpy as np
import pytest
from amaranth.back import rtlil
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tercel.numerics import exponential_sum
from tercel.numerics.float32 import fixed, multiply
from tercel.numerics.functions import LOG2_E, exp2_significands
from tercel_hw.head import ExponentialSum, HeadConfig
from tercel_hw.head.octave_histogram import BINS
from tercel_sim.testbench import every_cycle, put_all, run

CONFIG = HeadConfig(nodes=3, rows=256)


def sweeps():
    rng = np.random.default_rng(10)
    yield rng.normal(0, 3, (3, 60)).astype(np.float32)
    yield rng.choice(np.array([-400, -20, -19.9, 0, 19.4, 300], np.float32), (2, 30))
    yield np.full((1, 40), -170, np.float32)
    yield np.array([[-177.4] * 9 + [-177.0], [177.0] * 10], np.float32)
    yield np.array([[1.5], [-3.0], [0.0]], np.float32)


def payloads_of(unscaled, scale):
    exponents = fixed(multiply(unscaled, multiply(scale, LOG2_E)[:, None]), 9, 18)
    lanes, rows = exponents.shape
    return [
        {"value": int(t), "lane": lane, "last": (lane, row) == (lanes - 1, rows - 1)}
        for row, values in enumerate(exponents.T)
        for lane, t in enumerate(values)
    ]


def summed(config, unscaled, scale, idle=every_cycle):
    """Octaves and totals of each sweep."""
    dut = ExponentialSum(config)

    async def bench(ctx):
        found = []
        for sweep in unscaled:
            ctx.set(dut.nodes, len(sweep))
            await put_all(ctx, dut.i, payloads_of(sweep, scale[: len(sweep)]), idle)
            await ctx.tick().until(dut.valid)
            lanes = []
            for lane in range(len(sweep)):
                ctx.set(dut.lane, lane)
                await ctx.delay(1e-9)
                lanes.append((ctx.get(dut.octave), ctx.get(dut.total)))
            found.append(lanes)
            ctx.set(dut.release, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
        return found

    (found,) = run(dut, bench, max_cycles=20000)
    return found


def golden(sweep, scale):
    total = exponential_sum(sweep, scale[: len(sweep)])
    return list(zip(total.octave.tolist(), total.total.tolist(), strict=True))


def test_it_equals_the_golden_model(idle):
    scale = np.array([1.0, 0.75, 1.25], np.float32)
    unscaled = list(sweeps())
    found = summed(CONFIG, unscaled, scale, idle)
    assert found == [golden(sweep, scale) for sweep in unscaled]


# No shrinking: every try is a simulation, and a failure names its operands.
@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    places=st.lists(
        st.tuples(st.integers(-8, 7), st.sampled_from([0, 3, 4, 31])), min_size=1, max_size=30
    ),
    nodes=st.integers(1, 3),
)
@example(places=[(3, 4), (2, 4), (2, 3)], nodes=1)
@example(places=[(-8, 0), (-7, 0), (-8, 0), (-8, 3), (-8, 4)], nodes=1)
def test_octaves_that_share_bins_or_border_on_the_window(places, nodes):
    octaves = [BINS * turn + place for turn, place in places]
    scale = np.full(nodes, 1 / LOG2_E, np.float32)
    sweep = np.stack([np.roll(np.array(octaves, np.float32), lane) for lane in range(nodes)])
    config = HeadConfig(nodes=nodes, rows=64)
    assert summed(config, [sweep], scale) == [golden(sweep, scale)]


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_logit_a_cycle_and_the_cycles_of_the_sums(nodes):
    dut = ExponentialSum(CONFIG)
    payloads = payloads_of(next(sweeps())[:nodes], np.ones(nodes, np.float32))

    async def bench(ctx):
        ctx.set(dut.nodes, nodes)
        # After reset all lanes are cleared.
        for _ in range(dut.LANE_CYCLES * CONFIG.nodes + 1):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 1)
        for payload in payloads:
            ctx.set(dut.i.payload, payload)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(dut.LANE_CYCLES * nodes):
            assert not ctx.get(dut.valid)
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        assert ctx.get(dut.valid)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.release, 1)
        await ctx.tick()
        assert not ctx.get(dut.valid)
        assert ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=800)


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_bins_take_many_logits_of_one_octave(nodes):
    """Successive logits of a bin: one, two and three cycles apart."""
    rows = 300 // nodes
    scale = np.full(nodes, 1 / LOG2_E, np.float32)
    sweep = np.full((nodes, rows), 511 / 512, np.float32)
    found = summed(CONFIG, [sweep], scale)
    assert found == [[(0, rows * int(exp2_significands()[-1]) << 28)] * nodes]


def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(ExponentialSum(HeadConfig()))
