# amaranth: UnusedElaboratable=no

from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth.back import rtlil

from tercel.numerics import dequantise, multiply
from tercel_hw.tlmm.config import TLMM, TlmmConfig
from tercel_hw.tlmm.layouts import sums_layout
from tercel_hw.vector import Dequantiser, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

ABSENT = (1 << 20) - 1
HEAD = 3
NODES = 3


def bits_of(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32).tolist()


@pytest.fixture
def config():
    return VectorConfig(nodes=NODES, columns=64, hidden=64)


@pytest.fixture
def grouped(config):
    """The same with groups."""
    return replace(config, grouped=True, sum_bits=40)


@dataclass
class Linear:
    """Inputs of a linear and the expected rows."""

    sums: np.ndarray
    scales: np.ndarray
    weights: np.ndarray
    second: int = ABSENT
    third: int = ABSENT
    interleaved: int = 0
    target: int = 0
    row_scales: np.ndarray | None = None

    @classmethod
    def random(cls, seed, rows, *, sum_bits=22, by_row=False, **fields):
        rng = np.random.default_rng(seed)
        most = 1 << sum_bits - 1
        sums = rng.integers(-most, most, (rows, NODES)) >> rng.integers(0, sum_bits - 1, (rows, 1))
        if by_row:
            fields["row_scales"] = (rng.random(rows) / 512).astype(np.float32)
        scales, weights = rng.random(NODES) / 64, rng.random(16)
        return cls(sums, scales.astype(np.float32), weights.astype(np.float32), **fields)

    def command(self):
        names = "second", "third", "interleaved", "target"
        fields = {name: getattr(self, name) for name in names}
        return {**fields, "row_scales": self.row_scales is not None}

    def expected(self):
        """``[row] -> (values, last)``."""
        rows, scales = np.arange(len(self.sums)), self.scales
        parts = (rows >= self.second) + 1 * (rows >= self.third)
        weights = self.weights[rows % 2 if self.interleaved else parts]
        if self.row_scales is not None:
            weights = self.row_scales
        if self.target == HEAD:
            scales = np.ones_like(scales)
        values = dequantise(self.sums, multiply(scales, weights[:, None]))
        return [(bits_of(row), index == rows[-1]) for index, row in enumerate(values)]


def play(config, linears, idle=every_cycle, back_pressure=every_cycle):
    """Run linears; return the output of each target."""
    dut = Dequantiser(config)
    rows = [
        {"sums": row.tolist(), "last": index == len(linear.sums) - 1}
        for linear in linears
        for index, row in enumerate(linear.sums)
    ]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [linear.command() for linear in linears], idle)

    async def weights(ctx):
        await put_all(ctx, dut.i_weights, [bits_of(linear.weights) for linear in linears], idle)

    async def scales(ctx):
        mine = [linear for linear in linears if linear.target != HEAD]
        await put_all(ctx, dut.i_scales, [bits_of(linear.scales) for linear in mine], idle)

    async def row_scales(ctx):
        mine = [linear.row_scales for linear in linears if linear.row_scales is not None]
        if mine:
            await put_all(ctx, dut.i_row_scales, bits_of(np.concatenate(mine)), idle)

    async def sums(ctx):
        await put_all(ctx, dut.i, rows, idle)

    def sink(target):
        count = sum(len(linear.sums) for linear in linears if linear.target == target)

        async def take(ctx):
            taken = await get_all(ctx, dut.o[target], count, back_pressure)
            return [(list(p["values"]), bool(p.last)) for p in taken]

        return take

    sinks = [sink(target) for target in range(len(dut.o))]
    sources = commands, weights, scales, row_scales, sums
    return run(dut, *sources, *sinks, max_cycles=2000)[len(sources) :]


def check(linears, played):
    for target, rows in enumerate(played):
        mine = [linear.expected() for linear in linears if linear.target == target]
        assert rows == [row for linear in mine for row in linear]


def test_it_equals_the_golden_model(config, idle, back_pressure):
    linears = [
        Linear.random(1, 12, second=5, third=8, target=0),
        Linear.random(2, 7, target=1),
        Linear.random(3, 9, interleaved=1, second=3, third=5, target=2),
        Linear.random(4, 1, target=2),
        Linear.random(5, 20, second=4, target=0),
    ]
    check(linears, play(config, linears, idle, back_pressure))


def test_scales_of_rows_and_of_parts_and_heads_alternate(grouped, idle, back_pressure):
    linears = [
        Linear.random(1, 12, sum_bits=40, by_row=True, target=0),
        Linear.random(2, 9, second=3, third=5, target=1),
        Linear.random(3, 17, sum_bits=40, by_row=True, target=HEAD),
        Linear.random(4, 1, sum_bits=40, by_row=True, interleaved=1, target=2),
        Linear.random(5, 7, interleaved=1, second=2, target=2),
        Linear.random(6, 1, sum_bits=40, by_row=True, target=HEAD),
        Linear.random(7, 6, second=1, target=0),
    ]
    check(linears, play(grouped, linears, idle, back_pressure))


def test_extreme_sums_and_scales_of_rows(grouped):
    """Sums of 40 bits are rounded once, ties to even; products are flushed or infinite."""
    tie = (1 << 38) + (1 << 14)
    sums = [
        [-(1 << 39), (1 << 39) - 1, 0],
        [tie, tie + 1, -tie],
        [3 * tie >> 2, -1, 1],
        [tie - 1, 1, 9],
    ]
    row_scales = np.float32([2**100, 2**-30, 2**-126, 0])
    linears = [
        Linear(np.array(sums), np.float32(scales), weights, row_scales=row_scales, target=target)
        for scales in ([2**-126, 0, 1], [2**127, 2**-100, 2**20])
        for weights in [np.zeros(16, np.float32)]
        for target in (1, HEAD)
    ]
    check(linears, play(grouped, linears))


def test_latency_and_a_row_a_cycle_with_groups(grouped):
    dut, count = Dequantiser(grouped), 40
    linear = Linear.random(6, count, sum_bits=40, by_row=True)
    before = dut.GROUPED_PREPARE
    row_scales = bits_of(linear.row_scales)

    async def bench(ctx):
        ctx.set(dut.i_weights.payload, bits_of(linear.weights))
        ctx.set(dut.i_weights.valid, 1)
        await put_all(ctx, dut.i_command, [linear.command()])
        ctx.set(dut.i_weights.valid, 0)
        ctx.set(dut.i_scales.payload, bits_of(linear.scales))
        ctx.set(dut.i_scales.valid, 1)
        ctx.set(dut.i_row_scales.valid, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o[0].ready, 1)
        expected = linear.expected()
        for cycle in range(before + count + dut.GROUPED_LATENCY + 3):
            row = min(max(cycle - before, 0), count - 1)
            ctx.set(dut.i.payload, {"sums": linear.sums[row].tolist(), "last": row == count - 1})
            ctx.set(dut.i_row_scales.payload, row_scales[row])
            takes = before <= cycle < before + count
            assert ctx.get(dut.i.ready) == ctx.get(dut.i_row_scales.ready) == takes
            assert ctx.get(dut.i_scales.ready) == (cycle == 0)
            assert ctx.get(dut.i_command.ready) == (cycle >= before + count)
            result = cycle - before - dut.GROUPED_LATENCY
            assert ctx.get(dut.o[0].valid) == (0 <= result < count)
            if 0 <= result < count:
                payload = ctx.get(dut.o[0].payload)
                assert (list(payload["values"]), bool(payload.last)) == expected[result]
            await ctx.tick()
            ctx.set(dut.i_scales.valid, 0)

    assert (dut.GROUPED_LATENCY, before) == (15, 2)
    run(dut, bench, max_cycles=200)


def test_a_row_waits_for_its_scale_and_a_linear_for_its_scales(grouped):
    dut = Dequantiser(grouped)
    linear = Linear.random(7, 2, sum_bits=40, by_row=True)

    async def bench(ctx):
        await put_all(ctx, dut.i_weights, [bits_of(linear.weights)])
        await put_all(ctx, dut.i_command, [linear.command()])
        ctx.set(dut.i_row_scales.valid, 1)
        for _ in range(5):
            assert not ctx.get(dut.i_row_scales.ready)
            await ctx.tick()
        ctx.set(dut.i_row_scales.valid, 0)
        await put_all(ctx, dut.i_scales, [bits_of(linear.scales)])
        ctx.set(dut.i.valid, 1)
        for _ in range(5):
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
        await put_all(ctx, dut.i_weights, [bits_of(linear.weights)])
        ctx.set(dut.i_row_scales.valid, 1)
        assert ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=100)


def test_extreme_sums_and_scales(config):
    sums = np.array([[-(1 << 21), (1 << 21) - 1, 0], [1, -1, 0], [1, -1, 1 << 20]])
    linears = [
        Linear(sums, np.float32(scales), np.float32([weight, 1, *[0] * 14]))
        for scales in ([2**-126, 0, 1], [2**127, 2**-100, 2**20])
        for weight in (0, 1, 2**-30, 2**100)
    ]
    # Subnormal products are zeros, those beyond the largest float infinite.
    check(linears, play(config, linears))


def test_latency_and_a_row_a_cycle(config):
    dut, count = Dequantiser(config), 40
    linear = Linear.random(6, count)
    before = dut.PREPARE + 3 * NODES

    async def bench(ctx):
        ctx.set(dut.i_weights.payload, bits_of(linear.weights))
        ctx.set(dut.i_weights.valid, 1)
        await ctx.tick()
        ctx.set(dut.i_weights.valid, 0)
        ctx.set(dut.i_command.payload, linear.command())
        ctx.set(dut.i_command.valid, 1)
        ctx.set(dut.i_scales.payload, bits_of(linear.scales))
        ctx.set(dut.i_scales.valid, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o[0].ready, 1)
        expected = linear.expected()
        for cycle in range(before + count + dut.LATENCY + 3):
            row = min(max(cycle - before, 0), count - 1)
            ctx.set(dut.i.payload, {"sums": linear.sums[row].tolist(), "last": row == count - 1})
            assert ctx.get(dut.i.ready) == (before <= cycle < before + count)
            assert ctx.get(dut.i_scales.ready) == (cycle == 3 * NODES - 1)
            assert ctx.get(dut.i_command.ready) == (cycle == 3 * NODES)
            result = cycle - before - dut.LATENCY
            assert ctx.get(dut.o[0].valid) == (0 <= result < count)
            if 0 <= result < count:
                payload = ctx.get(dut.o[0].payload)
                assert (list(payload["values"]), bool(payload.last)) == expected[result]
            await ctx.tick()
            if cycle == 3 * NODES - 1:
                ctx.set(dut.i_scales.valid, 0)
            if cycle == 3 * NODES:
                ctx.set(dut.i_command.valid, 0)

    run(dut, bench, max_cycles=200)


def test_the_next_weights_are_taken_while_a_linear_is_under_way(config):
    dut = Dequantiser(config)
    first, second = Linear.random(7, 4), Linear.random(8, 4)

    async def bench(ctx):
        await put_all(ctx, dut.i_weights, [bits_of(first.weights)])
        ctx.set(dut.i_scales.payload, bits_of(first.scales))
        ctx.set(dut.i_scales.valid, 1)
        for _ in range(3 * NODES + dut.PREPARE):
            assert not ctx.get(dut.i_scales.ready)
            await ctx.tick()
        await put_all(ctx, dut.i_command, [first.command()])
        await put_all(ctx, dut.i, [{"sums": first.sums[0].tolist(), "last": 0}])
        await put_all(ctx, dut.i_weights, [bits_of(second.weights)])
        for _ in range(20):
            assert not ctx.get(dut.i_weights.ready)
            assert not ctx.get(dut.i_scales.ready)
            await ctx.tick()

    run(dut, bench, max_cycles=300)


@pytest.mark.parametrize("name", ["kv260", "tiny"])
def test_it_takes_what_the_engine_gives(name):
    tlmm = TLMM[name]
    config = VectorConfig(nodes=tlmm.nodes, sum_bits=tlmm.sum_bits)
    assert Dequantiser(config).i.payload.shape() == sums_layout(tlmm)


def test_it_takes_what_an_engine_with_groups_gives():
    tlmm = TlmmConfig(tables=26, groups=1, max_columns=16384)
    config = VectorConfig(nodes=tlmm.nodes, sum_bits=tlmm.sum_bits, grouped=True)
    assert Dequantiser(config).i.payload.shape() == sums_layout(tlmm)


def test_it_becomes_rtl(config):
    assert "module \\top" in rtlil.convert(Dequantiser(config))
