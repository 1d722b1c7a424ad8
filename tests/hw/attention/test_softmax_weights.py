from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import CacheView, Quantised, attend
from tercel.numerics.float32 import multiply
from tercel.numerics.functions import LOG2_E
from tercel_hw.attention import AttentionConfig, SoftmaxWeights
from tercel_hw.dense import DenseConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

LANES = 2


@dataclass
class Layer:
    """Sweeps of the same positions."""

    sweeps: list
    full: int
    half: int

    @property
    def fields(self):
        sweep = self.sweeps[0]
        masks = [sum(1 << j for j in np.flatnonzero(row)) for row in sweep.ancestors]
        lanes = sweep.scores.shape[1]
        return {
            "base": sweep.base,
            "nodes": len(masks),
            "lanes_per_head": sweep.lanes_per_head,
            "sweeps": len(self.sweeps),
            "full": self.full,
            "half": self.half,
            # Lanes without a node may have any value.
            "ancestors": [int(mask) for mask in masks] + [(1 << lanes) - 1] * (lanes - len(masks)),
        }

    def scored(self):
        return [
            {"scores": scores.tolist(), "value_scale": int(scale)}
            for sweep in self.sweeps
            for scores, scale in zip(sweep.scores, sweep.value_scales, strict=True)
        ]

    def weights(self):
        """Weights of each beat: two for each lane."""
        beats = []
        for sweep in self.sweeps:
            weights = sweep.results()[0]
            beats += [np.stack([weights, weights], axis=1)] * self.full
            if self.half:
                padded = np.pad(weights, ((0, len(weights) % 2), (0, 0)))
                beats.append(padded.reshape(-1, 2, padded.shape[1]))
        return np.vstack(beats).tolist()


def layers(softmax_of, scales_of, tree_of):
    rng = np.random.default_rng(4)
    both, single, siblings = tree_of([-1, 0]), tree_of([-1]), np.eye(2, dtype=bool)

    def sweeps(count, positions, nodes, low=-9000, high=9000, scale=(-12, 3)):
        return [
            softmax_of(
                rng.integers(low, high, (positions, LANES)),
                scales_of(rng, positions, *scale),
                positions - len(nodes),
                nodes,
                len(nodes),
            )
            for _ in range(count)
        ]

    yield Layer(sweeps(3, 20, both), 1, 0)
    yield Layer(sweeps(2, 2, siblings, -(1 << 17), 1 << 17), 0, 1)
    yield Layer(sweeps(3, 13, single, -700, 700, (-127, 128)), 1, 1)
    yield Layer(sweeps(1, 5, siblings, -(1 << 17), 1 - (1 << 17), (0, 1)), 2, 0)
    extreme = sweeps(2, 32, both, scale=(-3, 1))
    for sweep in extreme:
        sweep.scores[:] = rng.choice(
            [-(1 << 17), (1 << 17) - 1, 0, -1, 511, 512], sweep.scores.shape
        )
    yield Layer(extreme, 2, 1)
    nothing = sweeps(2, 1, single)
    for sweep in nothing:
        sweep.value_scales[:] = 0
    yield Layer(nothing, 0, 1)


def test_it_equals_the_golden_model(config, idle, back_pressure, softmax_of, scales_of, tree_of):
    every = list(layers(softmax_of, scales_of, tree_of))
    expected = list(chain.from_iterable(layer.weights() for layer in every))
    dut = SoftmaxWeights(config)

    async def commands(ctx):
        await put_all(ctx, dut.i_layer, [layer.fields for layer in every])

    async def scores(ctx):
        await put_all(ctx, dut.i_score, chain.from_iterable(x.scored() for x in every), idle)

    async def take_weights(ctx):
        beats = await get_all(ctx, dut.o_weight, len(expected), back_pressure)
        return [[list(half) for half in beat] for beat in beats]

    async def take_denominators(ctx):
        count = sum(len(layer.sweeps) for layer in every)
        return await get_all(ctx, dut.o_denominator, count, back_pressure)

    benches = commands, scores, take_weights, take_denominators
    *_, weights, denominators = run(dut, *benches, max_cycles=4000)
    assert weights == expected
    sweeps = [sweep for layer in every for sweep in layer.sweeps]
    for sweep, result in zip(sweeps, denominators, strict=True):
        _, sums, largest = sweep.results()
        assert list(result.sums) == sums.tolist()
        assert list(result.exponents) == largest.tolist()


def test_the_reference_is_that_of_attend(softmax_of, scales_of, tree_of):
    """``attend`` with one-hot values shows its weights."""
    rng, positions, ancestors = np.random.default_rng(1), 16, tree_of([-1, 0])
    q = Quantised(
        values=rng.integers(-127, 128, (2, 1, 16)).astype(np.int8),
        scale=(rng.random((2, 1)) * 0.05).astype(np.float32),
    )
    cache = CacheView(
        keys=rng.integers(-127, 128, (1, positions, 16)).astype(np.int8),
        key_scales=scales_of(rng, (1, positions)),
        values=np.eye(positions, dtype=np.int8)[None],
        value_scales=scales_of(rng, (1, positions)),
    )
    products = np.einsum("nhd,sd->snh", q.values.astype(int), cache.keys[0].astype(int))
    scale = (
        multiply(q.scale, LOG2_E / np.sqrt(np.float32(16))).T[0]
        * (cache.key_scales[0].astype(np.uint32) << 16).view(np.float32)[:, None]
    )
    scores = np.rint(products[..., 0].astype(np.float32) * scale * np.float32(512))
    scores = np.clip(scores, -(1 << 17), (1 << 17) - 1).astype(int)
    sweep = softmax_of(scores, cache.value_scales[0], 14, ancestors, 2)
    weights, sums, largest = sweep.results()
    ratio = weights.T / sums[:, None] * 2.0 ** (largest[:, None] - 127 + 3)
    golden = attend(q, cache, ancestors).reshape(2, 16)
    np.testing.assert_allclose(golden, ratio, rtol=2**-16)


def test_a_position_and_a_beat_a_cycle(config, softmax_of, scales_of, tree_of):
    dut = SoftmaxWeights(config)
    layer = next(layers(softmax_of, scales_of, tree_of))
    positions = len(layer.sweeps[0].scores)

    async def bench(ctx):
        await put_all(ctx, dut.i_layer, [layer.fields])
        scored = iter(layer.scored())
        ctx.set(dut.i_score.payload, next(scored))
        for port in dut.i_score, dut.o_weight, dut.o_denominator:
            ctx.set(port.valid if port is dut.i_score else port.ready, 1)
        taken, weighed, summed = [], [], []
        for cycle in range(6 * positions):
            _, _, ready, weight, total = await ctx.tick().sample(
                dut.i_score.ready, dut.o_weight.valid, dut.o_denominator.valid
            )
            taken += [cycle] * ready
            weighed += [cycle] * weight
            summed += [cycle] * total
            if ready:
                ctx.set(dut.i_score.payload, next(scored, layer.scored()[0]))
        return taken, weighed, summed

    ((taken, weighed, summed),) = run(dut, bench, max_cycles=400)
    first = taken[positions - 1] + dut.LATENCY
    assert taken[:positions] == list(range(taken[0], taken[0] + positions))
    # The next scores are taken when the maxima have been and the read of position 0 has begun.
    assert taken[positions] == taken[positions - 1] + 3
    for sweep in range(3):
        weights = weighed[sweep * positions :][:positions]
        assert weights == list(range(first, first + positions))
        # The last weights are known two cycles before they are offered.
        assert summed[sweep] == weights[-1] - 1
        first += positions + dut.SWEEP


@pytest.mark.slow
def test_4096_positions_fit_the_denominator():
    dense = DenseConfig(nodes=1, macs=16, chain=8)
    dut = SoftmaxWeights(AttentionConfig(dense=dense))
    payload = {"scores": [5], "value_scale": 0x3FFF}
    layer = {
        "base": 4095,
        "nodes": 1,
        "lanes_per_head": 1,
        "sweeps": 1,
        "full": 1,
        "ancestors": [1],
    }

    async def source(ctx):
        await put_all(ctx, dut.i_layer, [layer])
        await put_all(ctx, dut.i_score, [payload] * 4096)

    async def weights(ctx):
        return await get_all(ctx, dut.o_weight, 4096, every_cycle)

    async def denominators(ctx):
        return await get_all(ctx, dut.o_denominator, 1)

    _, weights, (denominator,) = run(dut, source, weights, denominators, max_cycles=9000)
    assert list(denominator.sums) == [4096 << 19]
    assert {lane for beat in weights for half in beat for lane in half} == {(32768 * 255 + 32) >> 6}


def test_it_converts(config):
    assert "module" in rtlil.convert(SoftmaxWeights(config))
