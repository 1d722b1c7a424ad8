import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import multiply, quantise
from tercel.numerics.quantise import quantise_cache
from tercel_hw.vector import HeadQuantiser, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

SHAPES = [(2, 1, 32), (1, 1, 16), (2, 2, 16)]
"""Query heads, KV heads, head size: grouped queries and as many keys as queries."""


def shape_of(nodes, head_size=32, qk_norm=False):
    shape = {"columns": head_size, "hidden": head_size, "head_size": head_size}
    return VectorConfig(nodes=nodes, qk_norm=qk_norm, **shape)


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


class Row:
    """Heads ``[nodes, heads, size]`` of one command and what comes of them."""

    def __init__(self, rng, nodes, shape, *, normed=False):
        self.query, kv, self.size = shape
        self.rotated = self.query + kv
        self.command = {"query_heads": self.query, "kv_heads": kv, "head_size": self.size}
        self.command["normed"] = normed
        self.x = rng.normal(size=(nodes, self.query + 2 * kv, self.size)).astype(np.float32)
        # Every head of its own magnitude: units that saturate, scales that flush, rows of zeros.
        exponents = rng.choice([-126, -122, -119, -60, 0, 1, 60, 120], self.x.shape[:2])
        self.x *= (2.0 ** exponents[..., None]).astype(np.float32)
        self.x[np.abs(self.x) < 2.0**-126] = 0
        self.x[rng.random(self.x.shape[:2]) < 0.1] = -0.0
        # Inverse root mean squares: none is above 2^63, that of an overflown sum is small.
        self.factors = None
        if normed:
            exponents = rng.choice([-64, -20, 0, 4, 63], (nodes, self.rotated))
            self.factors = rng.uniform(1, 2, exponents.shape).astype(np.float32)
            self.factors *= (2.0**exponents).astype(np.float32)
            self.factors[rng.random(exponents.shape) < 0.1] = 0

    @property
    def factor_words(self):
        return [] if self.factors is None else bits(self.factors.T.reshape(-1))

    @property
    def inputs(self):
        values = bits(self.x.reshape(len(self.x), -1).T)
        return [{"values": v, "last": i % self.size == 0} for i, v in enumerate(values, 1)]

    def _columns(self, values):
        columns = values.reshape(len(values), -1).T.tolist()
        return [(column, index % self.size == 0) for index, column in enumerate(columns, 1)]

    def golden(self):
        """Columns and scales of queries, then of what is for the cache."""
        query = quantise(self.x[:, : self.query])
        scale = query.scale
        if self.factors is None:
            values, scales = quantise_cache(self.x[:, self.query :])
        else:
            scale = multiply(scale, self.factors[:, : self.query])
            normed = self.x[:, self.query : self.rotated], self.factors[:, self.query :]
            both = quantise_cache(*normed), quantise_cache(self.x[:, self.rotated :])
            values, scales = (np.concatenate(parts, axis=1) for parts in zip(*both, strict=True))
        return (
            self._columns(query.values),
            bits(scale.T),
            self._columns(values),
            scales.T.tolist(),
        )


def play(config, rows, idle=every_cycle, back_pressure=every_cycle):
    """Columns and scales of queries, then of what is for the cache, of all rows."""
    dut = HeadQuantiser(config)
    goldens = zip(*(row.golden() for row in rows), strict=True)
    counts = [sum(len(part) for part in parts) for parts in goldens]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows], idle)

    async def source(ctx):
        await put_all(ctx, dut.i, [element for row in rows for element in row.inputs], idle)

    async def queries(ctx):
        taken = await get_all(ctx, dut.o_query, counts[0], back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    async def query_scales(ctx):
        return [list(p) for p in await get_all(ctx, dut.o_query_scales, counts[1], back_pressure)]

    async def cache(ctx):
        taken = await get_all(ctx, dut.o_cache, counts[2], back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    async def cache_scales(ctx):
        return [list(p) for p in await get_all(ctx, dut.o_cache_scales, counts[3], back_pressure)]

    async def factors(ctx):
        await put_all(ctx, dut.i_factors, [word for row in rows for word in row.factor_words], idle)

    benches = [queries, query_scales, cache, cache_scales, commands, source]
    return run(dut, *benches, *([factors] if config.qk_norm else []), max_cycles=2000)[:4]


def test_it_equals_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(1)
    rows = [Row(rng, 2, shape) for shape in SHAPES]
    expected = [
        [item for part in parts for item in part]
        for parts in zip(*(row.golden() for row in rows), strict=True)
    ]
    assert play(shape_of(2), rows, idle, back_pressure) == expected


def test_normed_heads_equal_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(5)
    rows = [Row(rng, 2, shape, normed=shape != (1, 1, 16)) for shape in SHAPES]
    expected = [
        [item for part in parts for item in part]
        for parts in zip(*(row.golden() for row in rows), strict=True)
    ]
    assert play(shape_of(2, qk_norm=True), rows, idle, back_pressure) == expected


@pytest.mark.parametrize(("nodes", "qk_norm"), [(1, False), (16, False), (16, True)])
def test_any_number_of_lanes(nodes, qk_norm):
    row = Row(np.random.default_rng(2), nodes, (2, 1, 16), normed=qk_norm)
    assert play(shape_of(nodes, 16, qk_norm), [row]) == list(row.golden())


@pytest.mark.parametrize(
    ("nodes", "size", "qk_norm", "latency"),
    [(16, 16, False, 53), (2, 48, False, 39), (16, 16, True, 60), (2, 48, True, 46)],
)
def test_latency_and_one_element_a_cycle(nodes, size, qk_norm, latency):
    """With norms the factors are there in time; every lane and head has the same."""
    dut = HeadQuantiser(shape_of(nodes, size, qk_norm))
    row = Row(np.random.default_rng(3), nodes, (5, 1, size), normed=qk_norm)
    inputs, queries, heads = row.inputs, row.golden()[0], 7
    first = size - 1 + dut.latency
    assert dut.latency == latency

    async def source(ctx):
        if qk_norm:
            ctx.set(dut.i_factors.valid, 1)
        await put_all(ctx, dut.i_command, [row.command])
        for element in inputs:
            ctx.set(dut.i.payload, element)
            ctx.set(dut.i.valid, 1)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        ctx.set(dut.o_query.ready, 1)
        ctx.set(dut.o_cache.ready, 1)
        await ctx.tick().until(dut.i_command.ready)
        for cycle in range(first + heads * size):
            element = cycle - first
            assert ctx.get(dut.o_query.valid) == (0 <= element < len(queries))
            assert ctx.get(dut.o_cache.valid) == (element >= len(queries))
            # The latest moment at which a head's scales may be taken.
            scales = ctx.get(dut.o_query_scales.valid) | ctx.get(dut.o_cache_scales.valid)
            begins = element >= 0 and element % size == 0
            assert scales or not begins
            ctx.set(dut.o_query_scales.ready, begins)
            ctx.set(dut.o_cache_scales.ready, begins)
            await ctx.tick()
        assert not ctx.get(dut.o_cache.valid)

    run(dut, source, sink, max_cycles=800)


def test_a_head_waits_for_the_scales_of_the_one_before():
    dut, row = HeadQuantiser(shape_of(2, 16)), Row(np.random.default_rng(4), 2, (2, 1, 16))
    _, scales, _, _ = row.golden()

    async def source(ctx):
        await put_all(ctx, dut.i_command, [row.command])
        await put_all(ctx, dut.i, row.inputs)

    async def sink(ctx):
        for expected in scales:
            await get_all(ctx, dut.o_query, 16)
            ctx.set(dut.o_query.ready, 1)
            for _ in range(60):
                assert not ctx.get(dut.o_query.valid)
                await ctx.tick()
            (taken,) = await get_all(ctx, dut.o_query_scales, 1)
            assert list(taken) == expected

    run(dut, source, sink, max_cycles=600)


def test_it_converts():
    assert "module" in rtlil.convert(HeadQuantiser(shape_of(2)))
