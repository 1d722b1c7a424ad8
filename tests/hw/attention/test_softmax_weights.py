from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel_hw.attention import AttentionConfig, SoftmaxWeights
from tercel_hw.dense import DenseConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

LANES = 2


def walks(softmax_of, scales_of, tree_of):
    rng = np.random.default_rng(4)
    chain2, single = tree_of([-1, 0]), tree_of([-1])
    siblings = np.eye(2, dtype=bool)

    def scores(positions, turns, low, high):
        return rng.integers(low, high, (positions, turns, LANES))

    yield softmax_of(scores(20, 2, -9000, 9000), scales_of(rng, 20), 18, chain2)
    yield softmax_of(scores(2, 1, -(1 << 17), 1 << 17), scales_of(rng, 2), 0, siblings)
    yield softmax_of(scores(12, 1, -700, 700), scales_of(rng, 12, -127, 128), 11, single)
    yield softmax_of(np.full((5, 1, LANES), -(1 << 17)), scales_of(rng, 5, 0, 1), 3, siblings)
    extremes = rng.choice([-(1 << 17), (1 << 17) - 1, 0, -1, 511, 512], (32, 2, LANES))
    yield softmax_of(extremes, scales_of(rng, 32, -3, 1), 30, chain2)
    yield softmax_of(np.zeros((1, 1, LANES), int), np.zeros(1, np.uint16), 0, single)


def scored(walk):
    positions, turns, _ = walk.scores.shape
    return [
        {"scores": walk.scores[p, t].tolist(), "value_scale": int(walk.value_scales[p])}
        for p in range(positions)
        for t in range(turns)
    ]


def play(config, walks, idle, back_pressure):
    dut = SoftmaxWeights(config)
    weights = sum(walk.scores.shape[0] * walk.scores.shape[1] for walk in walks)
    turns = sum(walk.scores.shape[1] for walk in walks)

    async def commands(ctx):
        await put_all(ctx, dut.i_walk, [walk.walk(LANES) for walk in walks])

    async def scores(ctx):
        await put_all(ctx, dut.i_score, chain.from_iterable(map(scored, walks)), idle)

    async def take_weights(ctx):
        return await get_all(ctx, dut.o_weight, weights, back_pressure)

    async def take_denominators(ctx):
        return await get_all(ctx, dut.o_denominator, turns, back_pressure)

    benches = commands, scores, take_weights, take_denominators
    return run(dut, *benches, max_cycles=4000)[2:]


def test_it_equals_the_golden_model(config, idle, back_pressure, softmax_of, scales_of, tree_of):
    all_walks = list(walks(softmax_of, scales_of, tree_of))
    weights, denominators = play(config, all_walks, idle, back_pressure)
    weights, denominators = iter(weights), iter(denominators)
    for walk in all_walks:
        golden, sums, largest = walk.results()
        positions, turns, _ = golden.shape
        for position in range(positions):
            for turn in range(turns):
                assert list(next(weights)) == golden[position, turn].tolist()
        for turn in range(turns):
            result = next(denominators)
            assert list(result.sums) == sums[turn].tolist()
            assert list(result.exponents) == largest.tolist()
            assert result.last == (turn == turns - 1)


def test_the_reference_is_that_of_attend(random_head, softmax_of):
    """``attend`` with one-hot values shows its weights."""
    head = random_head(np.random.default_rng(1), size=16, group=1, past=14, parents=[-1, 0])
    positions = 16
    head.cache.values[0] = np.eye(positions, dtype=np.int8)
    products = np.einsum("nhd,sd->snh", head.q.values.astype(int), head.cache.keys[0].astype(int))
    scale = (
        head.query_scales().T[0]
        * (head.cache.key_scales[0].astype(np.uint32) << 16).view(np.float32)[:, None]
    )
    scores = np.rint(products[..., 0].astype(np.float32) * scale * np.float32(512))
    scores = np.clip(scores, -(1 << 17), (1 << 17) - 1).astype(int)
    walk = softmax_of(scores[:, None], head.cache.value_scales[0], 14, head.ancestors)
    weights, sums, largest = walk.results()
    ratio = weights[:, 0].T / sums[0][:, None] * 2.0 ** (largest[:, None] - 127 + 3)
    np.testing.assert_allclose(head.golden()[:, 0], ratio, rtol=2**-16)


def test_latency_and_one_position_a_cycle(config, softmax_of, scales_of, tree_of):
    dut = SoftmaxWeights(config)
    walk = next(walks(softmax_of, scales_of, tree_of))
    payloads = scored(walk)

    async def bench(ctx):
        await put_all(ctx, dut.i_walk, [walk.walk(LANES)])
        ctx.set(dut.o_weight.ready, 1)
        ctx.set(dut.i_score.valid, 1)
        for payload in payloads:
            ctx.set(dut.i_score.payload, payload)
            assert ctx.get(dut.i_score.ready)
            await ctx.tick()
        ctx.set(dut.i_score.valid, 0)
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o_weight.valid)
            await ctx.tick()
        for _ in payloads:
            assert ctx.get(dut.o_weight.valid)
            assert not ctx.get(dut.o_denominator.valid)
            await ctx.tick()
        assert not ctx.get(dut.o_weight.valid)
        assert not ctx.get(dut.i_walk.ready)
        ctx.set(dut.o_denominator.ready, 1)
        for _ in range(2):
            assert ctx.get(dut.o_denominator.valid)
            await ctx.tick()
        assert ctx.get(dut.i_walk.ready)

    run(dut, bench, max_cycles=200)


@pytest.mark.slow
def test_4096_positions_fit_the_denominator():
    dense = DenseConfig(nodes=1, macs=16, turns=1, vector_beats=2)
    dut = SoftmaxWeights(AttentionConfig(dense=dense, score_words=4096))
    payload = {"scores": [5], "value_scale": 0x3FFF}

    async def source(ctx):
        await put_all(ctx, dut.i_walk, [{"past": 4095, "nodes": 1, "turns": 1, "ancestors": [1]}])
        await put_all(ctx, dut.i_score, [payload] * 4096)

    async def weights(ctx):
        return await get_all(ctx, dut.o_weight, 4096, every_cycle)

    async def denominators(ctx):
        return await get_all(ctx, dut.o_denominator, 1)

    _, weights, (denominator,) = run(dut, source, weights, denominators, max_cycles=9000)
    assert list(denominator.sums) == [4096 << 19]
    assert {w[0] for w in weights} == {(32768 * 255 + 32) >> 6}


@pytest.mark.slow
def test_the_kv260_shape_converts():
    assert "module" in rtlil.convert(SoftmaxWeights(AttentionConfig(dense=DenseConfig())))
