"""Heads from the linear's output to integers and scales, through all blocks that treat them."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect

from tercel.numerics import head_norm, multiply, quantise, rope_table, rotate
from tercel.numerics.quantise import quantise_cache
from tercel_hw.vector import HeadNorm, HeadQuantiser, Rotary, VectorConfig
from tercel_sim.testbench import get_all, put_all, run

NODES, QUERIES, KEYS, SIZE = 2, 3, 1, 64
CONFIG = VectorConfig(nodes=NODES, columns=SIZE, hidden=SIZE, head_size=SIZE, qk_norm=True)
EPSILON = 1e-6


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


class Row:
    """Heads ``[nodes, heads, size]`` with their gains and rotations, and what comes of them."""

    def __init__(self, normed):
        rng = np.random.default_rng(1)
        self.normed = normed
        self.x = rng.normal(size=(NODES, QUERIES + 2 * KEYS, SIZE)).astype(np.float32)
        self.x *= (2.0 ** rng.integers(-9, 9, (NODES, QUERIES + 2 * KEYS, 1))).astype(np.float32)
        self.gains = rng.normal(1, 0.3, (2, SIZE)).astype(np.float32)
        self.rotation = [part[[3, 17]] for part in rope_table(20, SIZE, 10000.0)]

    @property
    def command(self):
        inverse, epsilon = bits([1 / SIZE, EPSILON])
        heads = {"query_heads": QUERIES, "kv_heads": KEYS, "head_size": SIZE}
        norm = {"inverse_head_size": inverse, "epsilon": epsilon}
        return {**heads, **norm, "normed": self.normed}

    @property
    def table(self):
        return [
            {"lane": lane, "index": index, "sine": sine, "value": value}
            for sine, part in enumerate(self.rotation)
            for lane, row in enumerate(bits(part))
            for index, value in enumerate(row)
        ]

    def golden(self):
        """Integers and scales, of queries and of what goes to the cache, as the emulator's."""
        q, k, v = np.split(self.x, [QUERIES, QUERIES + KEYS], axis=1)
        q_factor, k_factor = np.ones(q.shape[:2], np.float32), None
        if self.normed:
            q, q_factor = head_norm(q, self.gains[0], EPSILON)
            k, k_factor = head_norm(k, self.gains[1], EPSILON)
        query = quantise(rotate(q, *self.rotation))
        (k, k_scale), (v, v_scale) = (
            quantise_cache(rotate(k, *self.rotation), k_factor),
            quantise_cache(v),
        )
        cache, scales = np.concatenate([k, v], axis=1), np.concatenate([k_scale, v_scale], axis=1)
        return [
            query.values.reshape(NODES, -1).T.tolist(),
            bits(multiply(query.scale, q_factor).T),
            cache.reshape(NODES, -1).T.tolist(),
            scales.T.tolist(),
        ]


@pytest.mark.parametrize("normed", [True, False])
def test_an_element_a_cycle_from_the_linear_to_the_columns(normed):
    m, row = Module(), Row(normed)
    m.submodules.norm = norm = HeadNorm(CONFIG)
    m.submodules.rotary = rotary = Rotary(CONFIG)
    m.submodules.quantiser = quantiser = HeadQuantiser(CONFIG)
    connect(m, norm.o, rotary.i)
    connect(m, norm.o_factors, quantiser.i_factors)
    connect(m, rotary.o, quantiser.i)
    elements = bits(row.x.reshape(NODES, -1).T)
    count = len(elements)

    async def source(ctx):
        ctx.set(rotary.i_loaded, 1)
        await put_all(ctx, rotary.i_table, row.table)
        for block in (rotary, quantiser, norm):
            await put_all(ctx, block.i_command, [row.command])
        if normed:
            await put_all(ctx, norm.i_gain, bits(row.gains.reshape(-1)))
        ctx.set(norm.i.valid, 1)
        for index, values in enumerate(elements):
            ctx.set(norm.i.payload, {"values": values, "last": index == count - 1})
            assert ctx.get(norm.i.ready)
            await ctx.tick()
        ctx.set(norm.i.valid, 0)

    async def columns(ctx):
        """Take all columns; those of the row come in successive cycles."""
        ctx.set(quantiser.o_query.ready, 1)
        ctx.set(quantiser.o_cache.ready, 1)
        found, gaps = ([], []), 0
        while len(found[0]) + len(found[1]) < count:
            offered = [ctx.get(port.valid) for port in (quantiser.o_query, quantiser.o_cache)]
            gaps += bool(found[0]) and not any(offered)
            for port, valid, taken in zip(
                (quantiser.o_query, quantiser.o_cache), offered, found, strict=True
            ):
                if valid:
                    taken.append(list(ctx.get(port.payload)["values"]))
            await ctx.tick()
        return found, gaps

    async def query_scales(ctx):
        return [list(p) for p in await get_all(ctx, quantiser.o_query_scales, QUERIES)]

    async def cache_scales(ctx):
        return [list(p) for p in await get_all(ctx, quantiser.o_cache_scales, 2 * KEYS)]

    benches = source, columns, query_scales, cache_scales
    _, ((queries, cache), gaps), *scales = run(m, *benches, max_cycles=1500)
    assert [queries, scales[0], cache, scales[1]] == row.golden()
    assert gaps == 0
