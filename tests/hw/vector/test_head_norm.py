# amaranth: UnusedElaboratable=no

import re

import numpy as np
import pytest

from tercel.numerics import head_norm
from tercel_hw.vector import HeadNorm, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

EPSILON = 1e-6


def config_of(nodes=2, head_size=48, qk_norm=True):
    shape = {"columns": head_size, "hidden": head_size, "head_size": head_size}
    return VectorConfig(nodes=nodes, qk_norm=qk_norm, **shape)


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


class Row:
    """Heads ``[nodes, heads, size]`` of one command and what comes of them."""

    def __init__(self, rng, nodes, shape, *, normed=True, epsilon=EPSILON):
        self.query, kv, self.size = shape
        self.epsilon = epsilon
        self.x = rng.normal(size=(nodes, self.query + 2 * kv, self.size)).astype(np.float32)
        exponents = rng.choice([-126, -63, -60, 0, 1, 60, 120], self.x.shape[:2])
        self.x *= (2.0 ** exponents[..., None]).astype(np.float32)
        self.x[np.abs(self.x) < 2.0**-126] = 0
        self.x[rng.random(self.x.shape[:2]) < 0.1] = -0.0
        self.gains = rng.normal(size=(2, self.size)).astype(np.float32) if normed else None
        self.rotated = self.query + kv
        self.command = {
            "query_heads": self.query,
            "kv_heads": kv,
            "head_size": self.size,
            "normed": normed,
            "inverse_head_size": bits([1 / self.size])[0],
            "epsilon": bits([epsilon])[0],
        }

    @property
    def gain_words(self):
        return [] if self.gains is None else bits(self.gains.reshape(-1))

    @staticmethod
    def elements(heads):
        values = bits(heads.reshape(len(heads), -1).T)
        return [(value, index == len(values)) for index, value in enumerate(values, 1)]

    @property
    def inputs(self):
        return [{"values": values, "last": last} for values, last in self.elements(self.x)]

    def golden(self):
        """Elements, and the factors of each head and lane."""
        if self.gains is None:
            return self.elements(self.x), []
        heads, factors = self.x.copy(), []
        for gain, part in zip(
            self.gains, (slice(self.query), slice(self.query, self.rotated)), strict=True
        ):
            heads[:, part], factor = head_norm(self.x[:, part], gain, self.epsilon)
            factors += bits(factor.T.reshape(-1))
        return self.elements(heads), factors


def play(config, rows, idle=every_cycle, back_pressure=every_cycle):
    """Elements and factors of all rows."""
    dut = HeadNorm(config)
    goldens = [row.golden() for row in rows]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows], idle)

    async def gains(ctx):
        await put_all(ctx, dut.i_gain, [word for row in rows for word in row.gain_words], idle)

    async def source(ctx):
        await put_all(ctx, dut.i, [element for row in rows for element in row.inputs], idle)

    async def sink(ctx):
        count = sum(len(elements) for elements, _ in goldens)
        taken = await get_all(ctx, dut.o, count, back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    async def factors(ctx):
        count = sum(len(factors) for _, factors in goldens)
        return await get_all(ctx, dut.o_factors, count, back_pressure)

    return run(dut, commands, gains, source, sink, factors, max_cycles=6000)[3:]


def expected(rows):
    parts = zip(*(row.golden() for row in rows), strict=True)
    return [[item for part in each for item in part] for each in parts]


def test_it_equals_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(1)
    shapes = [(2, 1, 48, True), (1, 1, 16, True), (2, 1, 16, False), (2, 2, 32, True)]
    rows = [
        Row(rng, 2, shape, normed=normed, epsilon=10.0**-index)
        for index, (*shape, normed) in enumerate(shapes, 4)
    ]
    assert play(config_of(), rows, idle, back_pressure) == expected(rows)


@pytest.mark.parametrize(("nodes", "shape"), [(1, (1, 1, 16)), (16, (1, 1, 16)), (1, (2, 1, 144))])
def test_any_number_of_lanes_and_large_heads(nodes, shape):
    row = Row(np.random.default_rng(2), nodes, shape)
    assert play(config_of(nodes, shape[2]), [row]) == expected([row])


@pytest.mark.parametrize("size", [16, 48])
def test_latency_and_one_element_a_cycle(size):
    config = config_of()
    dut, row = HeadNorm(config), Row(np.random.default_rng(3), 2, (6, 1, size))
    elements, factors = row.golden()
    first = size - 1 + dut.factors_latency(config)
    assert (dut.LATENCY, dut.factors_latency(config)) == (9, 39 + 2 * 9 + 21)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [row.command])
        await put_all(ctx, dut.i_gain, row.gain_words)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.o_factors.ready, 1)
        for cycle in range(first + size * 7):
            ctx.set(dut.i.valid, cycle < len(elements))
            if cycle < len(elements):
                ctx.set(dut.i.payload, row.inputs[cycle])
                assert ctx.get(dut.i.ready)
            element = cycle - dut.LATENCY
            assert ctx.get(dut.o.valid) == (0 <= element < len(elements))
            if ctx.get(dut.o.valid):
                assert list(ctx.get(dut.o.payload)["values"]) == elements[element][0]
            head, lane = divmod(cycle - first, size)
            assert ctx.get(dut.o_factors.valid) == (0 <= head < 7 and lane < 2)
            if ctx.get(dut.o_factors.valid):
                assert ctx.get(dut.o_factors.payload) == factors[2 * head + lane]
            await ctx.tick()

    run(dut, bench, max_cycles=1200)


def test_heads_wait_for_room_for_their_factors_and_the_next_command_for_the_last():
    dut, row = HeadNorm(config_of(1, 16)), Row(np.random.default_rng(4), 1, (9, 1, 16))
    count = 16 * 8

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [row.command])
        ctx.set(dut.i_command.valid, 1)
        await put_all(ctx, dut.i_gain, row.gain_words)
        ctx.set(dut.o.ready, 1)
        await put_all(ctx, dut.i, row.inputs[:count])
        ctx.set(dut.i.valid, 1)
        for _ in range(100):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        factors = await get_all(ctx, dut.o_factors, 1)
        assert ctx.get(dut.i.ready)
        await put_all(ctx, dut.i, row.inputs[count : count + 16])
        factors += await get_all(ctx, dut.o_factors, 8)
        await put_all(ctx, dut.i, row.inputs[count + 16 :])
        for _ in range(100):
            assert not ctx.get(dut.i_command.ready)
            await ctx.tick()
        factors += await get_all(ctx, dut.o_factors, 1)
        await ctx.tick()
        assert ctx.get(dut.i_command.ready)
        return factors

    assert run(dut, bench, max_cycles=1500) == [row.golden()[1]]


def test_it_needs_a_configuration_with_norms():
    message = "HeadNorm needs a configuration with qk_norm"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        HeadNorm(config_of(qk_norm=False))
