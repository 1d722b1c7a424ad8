import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import rope_table, rotate
from tercel_hw.vector import Rotary, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

NODES = 2
CONFIG = VectorConfig(nodes=NODES, columns=48, hidden=48, head_size=48)
SHAPES = [(2, 1, 48), (1, 1, 16), (2, 2, 32)]
"""Query heads, KV heads, head size: grouped queries and as many keys as queries."""


def bits(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


class Row:
    """Heads ``[nodes, heads, size]`` of one command, their tables and what comes of them."""

    def __init__(self, rng, shape):
        query, kv, self.size = shape
        self.command = {"query_heads": query, "kv_heads": kv, "head_size": self.size}
        self.x = rng.normal(size=(NODES, query + 2 * kv, self.size)).astype(np.float32)
        self.x *= np.float32(2) ** rng.integers(-20, 20, self.x.shape)
        # Values that flush, overflow, cancel or are a zero of either sign.
        corners = np.array([0.0, -0.0, 2**-126, -(2**-126), 3e38, -3e38, 1.0, -1.0], np.float32)
        places = rng.random(self.x.shape) < 0.3
        self.x[places] = rng.choice(corners, places.sum())
        cosine, sine = rope_table(50, self.size, 10000.0)
        positions = np.concatenate([[0], rng.integers(1, 50, NODES - 1)])
        self.cosine, self.sine = cosine[positions], sine[positions]
        self.rotated = query + kv

    @property
    def table(self):
        return [
            {"lane": lane, "index": index, "sine": sine, "value": value}
            for sine, part in enumerate((self.cosine, self.sine))
            for lane, row in enumerate(bits(part))
            for index, value in enumerate(row)
        ]

    def golden(self):
        turned = rotate(self.x[:, : self.rotated], self.cosine, self.sine)
        return np.concatenate([turned, self.x[:, self.rotated :]], axis=1)

    @staticmethod
    def elements(heads):
        """``[heads * size, nodes]`` bits."""
        return bits(heads.reshape(NODES, -1).T)

    @property
    def inputs(self):
        elements = self.elements(self.x)
        marks = [False] * (len(elements) - 1) + [True]
        return [{"values": v, "last": m} for v, m in zip(elements, marks, strict=True)]

    @property
    def outputs(self):
        elements = enumerate(self.elements(self.golden()), 1)
        return [(values, index % self.size == 0) for index, values in elements]


def play(rows, idle=every_cycle, back_pressure=every_cycle):
    dut = Rotary(CONFIG)
    count = sum(len(row.inputs) for row in rows)

    async def control(ctx):
        ctx.set(dut.i_loaded, 1)
        for row in rows:
            # Taken when the row before has read all it needs.
            await put_all(ctx, dut.i_table, row.table)
            await put_all(ctx, dut.i_command, [row.command])

    async def source(ctx):
        for row in rows:
            await put_all(ctx, dut.i, row.inputs, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, count, back_pressure)
        return [(list(p["values"]), bool(p.last)) for p in taken]

    return run(dut, control, source, sink, max_cycles=6000)[2]


def test_it_equals_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(1)
    rows = [Row(rng, shape) for shape in SHAPES]
    expected = [element for row in rows for element in row.outputs]
    assert play(rows, idle, back_pressure) == expected


def test_value_heads_pass_unchanged():
    row = Row(np.random.default_rng(2), (1, 1, 16))
    assert play([row])[2 * 16 :] == [(values, False) for values, _ in row.outputs[32:-1]] + [
        (row.elements(row.x)[-1], True)
    ]


def test_latency_and_one_element_a_cycle():
    dut, row = Rotary(CONFIG), Row(np.random.default_rng(3), (3, 1, 32))
    half, count = 16, 5 * 32

    async def bench(ctx):
        ctx.set(dut.i_loaded, 1)
        await put_all(ctx, dut.i_table, row.table)
        await put_all(ctx, dut.i_command, [row.command])
        ctx.set(dut.o.ready, 1)
        for cycle in range(count + half + dut.LATENCY):
            ctx.set(dut.i.valid, cycle < count)
            if cycle < count:
                ctx.set(dut.i.payload, row.inputs[cycle])
                assert ctx.get(dut.i.ready)
            element = cycle - half - dut.LATENCY
            assert ctx.get(dut.o.valid) == (element >= 0)
            if element >= 0:
                assert list(ctx.get(dut.o.payload)["values"]) == row.outputs[element][0]
            await ctx.tick()
        assert not ctx.get(dut.o.valid)

    run(dut, bench, max_cycles=800)


def test_cycles_between_commands():
    dut, row = Rotary(CONFIG), Row(np.random.default_rng(3), (1, 1, 32))

    async def bench(ctx):
        ctx.set(dut.i_loaded, 1)
        ctx.set(dut.i_command.payload, row.command)
        ctx.set(dut.i_command.valid, 1)
        ctx.set(dut.o.ready, 1)
        await put_all(ctx, dut.i, row.inputs)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(32 // 2 + dut.GAP - 1)
        assert not ctx.get(dut.i.ready)
        await ctx.tick()
        assert ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=400)


def test_a_command_waits_for_the_tables_and_the_tables_for_the_command():
    dut, row = Rotary(CONFIG), Row(np.random.default_rng(4), (1, 1, 16))

    async def bench(ctx):
        ctx.set(dut.i_command.payload, row.command)
        ctx.set(dut.i_command.valid, 1)
        ctx.set(dut.i.valid, 1)
        assert not ctx.get(dut.i_command.ready)
        assert ctx.get(dut.i_table.ready)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.i_loaded, 1)
        assert ctx.get(dut.i_command.ready)
        await ctx.tick()
        assert not ctx.get(dut.i_table.ready)
        assert ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=40)


@pytest.mark.parametrize("nodes", [1, 2])
def test_it_converts(nodes):
    assert "module" in rtlil.convert(Rotary(VectorConfig(nodes=nodes)))
