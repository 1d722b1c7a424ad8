import numpy as np
import pytest
from amaranth.back import rtlil
from hypothesis import given, settings
from hypothesis import strategies as st

from tercel.numerics import (
    block_quantise,
    multiply,
    norm_block_quantise,
    norm_quantise,
    quantise,
)
from tercel.program import COMMANDS
from tercel_hw.vector import RowQuantiser, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, random_gaps, run

EPSILON = np.float32(1e-5)


def config_of(nodes=2, columns=140, **fields):
    return VectorConfig(nodes=nodes, columns=columns, hidden=16, head_size=16, **fields)


def word(value) -> int:
    return int(np.float32(value).view(np.uint32))


def words(values) -> list[int]:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).tolist()


class Row:
    """A row of each lane, what the block is told and what it must answer."""

    def __init__(self, values, gain=None, *, blocks=None):
        self.values = np.asarray(values, np.float32)
        self.gain = gain
        self.blocks = blocks
        """None in an accelerator without groups, to which the command's bit must not matter."""

    @classmethod
    def random(cls, rng, lanes, width, *, normed, scale=3.0):
        values = rng.normal(0, scale, (lanes, width)) * np.exp(rng.normal(0, 2, (lanes, 1)))
        gain = rng.normal(1, 0.3, width).astype(np.float32) if normed else None
        return cls(values, gain)

    @property
    def width(self):
        return self.values.shape[1]

    @property
    def command(self):
        fields = dict.fromkeys(COMMANDS["norm"].fields, 1)
        told = {
            "normed": int(self.gain is not None),
            "width": self.width,
            "inverse_width": word(1 / self.width),
            "epsilon": word(EPSILON),
            "blocks": int(self.blocks is None or self.blocks),
        }
        return fields | told

    @property
    def elements(self):
        last = self.width - 1
        columns = words(self.values.T)
        return [{"values": column, "last": i == last} for i, column in enumerate(columns)]

    @property
    def gains(self):
        return [] if self.gain is None else words(self.gain)

    def golden(self):
        if self.gain is None:
            return (block_quantise if self.blocks else quantise)(self.values)
        norm = norm_block_quantise if self.blocks else norm_quantise
        return norm(self.values, self.gain, float(EPSILON))

    @property
    def columns(self):
        """Values, a flag of the last one and, with groups, shifts."""
        golden, last = self.golden(), self.width - 1
        columns = [(row, i == last) for i, row in enumerate(golden.values.T.tolist())]
        if self.blocks is None:
            return columns
        shifts = golden.shifts.T.tolist() if self.blocks else [[0] * len(self.values)] * self.width
        return [(*column, shifts[i // 64]) for i, column in enumerate(columns)]

    @property
    def scales(self):
        return words(self.golden().scale)


def play(dut, rows, idle=every_cycle, back_pressure=every_cycle):
    """Columns and scales that come of rows."""

    async def tell(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows], idle)

    async def feed(ctx):
        await put_all(ctx, dut.i, [e for row in rows for e in row.elements], idle)

    async def feed_gains(ctx):
        await put_all(ctx, dut.i_gain, [gain for row in rows for gain in row.gains], idle)

    async def take(ctx):
        taken = await get_all(ctx, dut.o, sum(row.width for row in rows), back_pressure)
        columns = [(list(column["values"]), bool(column["last"])) for column in taken]
        if not dut.config.grouped:
            return columns
        return [(*column, list(c.shifts)) for column, c in zip(columns, taken, strict=True)]

    async def take_scales(ctx):
        return [list(s) for s in await get_all(ctx, dut.o_scales, len(rows), back_pressure)]

    cycles = sum(6 * row.width + 800 for row in rows)
    return run(dut, tell, feed, feed_gains, take, take_scales, max_cycles=cycles)[-2:]


def expected(rows):
    return [[column for row in rows for column in row.columns], [row.scales for row in rows]]


def test_it_equals_the_golden_model(idle, back_pressure):
    rng = np.random.default_rng(1)
    widths = (130, True), (16, False), (37, False), (1, True), (17, True)
    rows = [Row.random(rng, 2, width, normed=normed) for width, normed in widths]
    assert play(RowQuantiser(config_of()), rows, idle, back_pressure) == expected(rows)


@pytest.mark.parametrize("nodes", [1, 5])
def test_any_number_of_lanes(nodes):
    rng = np.random.default_rng(nodes)
    rows = [Row.random(rng, nodes, width, normed=True) for width in (16, 33)]
    assert play(RowQuantiser(config_of(nodes)), rows) == expected(rows)


def test_zeros_and_the_tiniest_and_largest_magnitudes():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, (4, 24)).astype(np.float32)
    values[0] = 0
    values[1] *= np.float32(1e-37)
    values[1, np.abs(values[1]) < 2.0**-126] = 0
    values[2] *= np.float32(1e37)
    values[3, 1::2] *= -0.0
    rows = [Row(values), Row(values[[0, 1, 3, 3]], np.full(24, 0.5, np.float32)), Row(values)]
    assert np.isfinite(rows[1].golden().scale).all()
    assert play(RowQuantiser(config_of(4)), rows) == expected(rows)


def test_the_longest_row():
    rows = [Row.random(np.random.default_rng(3), 1, 140, normed=False) for _ in range(2)]
    assert play(RowQuantiser(config_of(1)), rows) == expected(rows)


def blocks_of(rng, lanes, width, *, normed=False, blocks=True):
    """A row whose blocks differ in size, by more than 2^7 too."""
    row = Row.random(rng, lanes, width, normed=normed)
    loudness = 2.0 ** rng.uniform(-10, 0, (lanes, -(-width // 64)))
    row.values = row.values * np.repeat(loudness, 64, axis=1)[:, :width].astype(np.float32)
    row.blocks = blocks
    return row


@pytest.mark.parametrize(
    "seed", [pytest.param(None, marks=pytest.mark.slow), 12], ids=["flowing", "waiting"]
)
def test_blocks_and_plain_rows_alternate(seed):
    rng = np.random.default_rng(7)
    kinds = (129, 1, 1), (64, 0, 1), (1, 0, 1), (70, 0, 0), (65, 0, 1), (20, 1, 0), (6, 1, 1)
    rows = [
        blocks_of(rng, 2, width, normed=bool(normed), blocks=bool(blocks))
        for width, normed, blocks in kinds
    ]
    patterns = [every_cycle] * 2 if seed is None else [random_gaps(seed), random_gaps(seed + 1)]
    assert play(RowQuantiser(config_of(grouped=True)), rows, *patterns) == expected(rows)


@pytest.mark.slow
def test_random_rows_of_blocks(idle, back_pressure):
    rng = np.random.default_rng(8)
    rows = [
        blocks_of(rng, 3, int(rng.integers(1, 320)), normed=bool(number % 2))
        for number in range(12)
    ]
    dut = RowQuantiser(config_of(3, columns=320, grouped=True))
    assert play(dut, rows, idle, back_pressure) == expected(rows)


BITS = st.integers(0, 0x7F7FFFFF).map(lambda bits: bits if bits >= 1 << 23 else 0)
"""Magnitudes of all exponents alike, none subnormal."""


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    first=st.lists(BITS, min_size=1, max_size=4),
    second=st.lists(BITS, min_size=1, max_size=4),
    near=st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 1)), min_size=2, max_size=2),
)
def test_any_magnitudes_of_two_blocks(first, second, near):
    """The second block of a row has any magnitudes, or those of the first times about 2^-s."""
    row = np.zeros((2, 64 + len(second)), np.uint32)
    row[:, : len(first)] = first
    row[0, 64:] = second
    others = [max(first) - (s << 23) + step for s, step in near]
    row[1, 64:] = [bits if bits >= 1 << 23 else 0 for bits in others * 2][: len(second)]
    row = Row(row.view(np.float32), blocks=True)
    assert play(RowQuantiser(config_of(grouped=True)), [row]) == expected([row])


def test_corner_cases_of_blocks():
    """Equal mantissas and those a bit apart, zeros, the tiniest and the largest magnitudes."""
    block, one = np.arange(70) // 64, np.float32(1)
    above, below = np.nextafter(one, np.float32(2)), np.nextafter(np.float32(2), one)
    values = [
        np.where(block == 1, 2.0**-3, 1),
        np.where(block == 1, above / 16, 1),
        np.where(block == 1, 1 / 16, above),
        np.where(block == 1, below / 256, 1),
        np.where(block == 0, 0, 2.0**-6),
        np.where(block == 0, 2.0**-126, 2.0**-121),
        np.where(block == 1, 3e38, -(2.0**120)),
        np.zeros(70),
        np.where(block == 1, np.inf, 2.0**125),
    ]
    rows = [Row(np.stack(values), blocks=True), edge_of_underflow(len(values))]
    assert play(RowQuantiser(config_of(len(values), grouped=True)), rows) == expected(rows)


def edge_of_underflow(lanes):
    """A scale below 2^-126 is zero, but one of 24 ones is rounded up to it."""
    edge = np.float32(127 * 2.0**-119)
    maxima = (edge + np.arange(1 - lanes, 1) * np.spacing(edge)).astype(np.float32)
    row = Row(maxima[:, None], blocks=True)
    scales, ones = row.golden().scale, np.float32(2.0**-119 - 2.0**-143)
    assert set(scales[multiply(maxima, np.float32(1 / 127)) == ones].tolist()) == {2.0**-126}
    assert 0 in scales
    return row


@pytest.mark.parametrize("blocks", [None, True])
@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("nodes", [2, 3])
def test_cycles_from_the_last_element(nodes, normed, blocks):
    dut = RowQuantiser(config_of(nodes, grouped=blocks is not None))
    row = Row.random(np.random.default_rng(4), nodes, 32, normed=normed)
    row.blocks = blocks
    elements, gains = row.elements, row.gains or [0] * 32

    async def bench(ctx):
        ctx.set(dut.i_command.payload, row.command)
        ctx.set(dut.i_command.valid, 1)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.o_scales.ready, 1)
        ctx.set(dut.i_gain.valid, normed)
        await ctx.tick()
        ctx.set(dut.i_command.valid, 0)
        ctx.set(dut.i.valid, 1)
        columns, scales = [], []
        for cycle in range(32 + 140):
            if cycle < 32:
                ctx.set(dut.i.payload, elements[cycle])
                ctx.set(dut.i_gain.payload, gains[cycle])
                assert ctx.get(dut.i.ready)
                assert ctx.get(dut.i_gain.ready) == normed
            else:
                ctx.set(dut.i.valid, 0)
            if ctx.get(dut.o.valid):
                columns.append(cycle - 31)
            if ctx.get(dut.o_scales.valid):
                scales.append(cycle - 31)
            await ctx.tick()
        return columns, scales

    columns, scales = run(dut, bench, max_cycles=500)[0]
    assert columns == list(range(dut.gap, dut.gap + 32))
    assert dut.gap == 34 + nodes
    assert scales == [103 + 9 * nodes if normed else 36 + nodes]
    assert dut.scales_latency(normed=normed) == scales[0]


def test_scales_that_wait_hold_up_no_columns_before_the_row_after_the_next():
    rng = np.random.default_rng(5)
    rows = [Row.random(rng, 1, 16, normed=normed) for normed in (False, True, False)]
    dut = RowQuantiser(config_of(1))

    async def tell(ctx):
        await put_all(ctx, dut.i_command, [row.command for row in rows[:2]])
        ctx.set(dut.i_command.payload, rows[2].command)
        ctx.set(dut.i_command.valid, 1)
        for _ in range(600):
            assert not ctx.get(dut.i_command.ready)
            await ctx.tick()
        ctx.set(dut.o_scales.ready, 1)
        await ctx.tick().until(dut.i_command.ready)

    async def feed(ctx):
        await put_all(ctx, dut.i, [e for row in rows for e in row.elements])

    async def feed_gains(ctx):
        await put_all(ctx, dut.i_gain, rows[1].gains)

    async def take(ctx):
        return [list(c["values"]) for c in await get_all(ctx, dut.o, 48)]

    columns = run(dut, tell, feed, feed_gains, take, max_cycles=1500)[3]
    assert columns == [values for row in rows for values, _ in row.columns]


@pytest.mark.parametrize("normed", [False, True])
def test_from_row_to_row(normed):
    """The next row comes when the columns have left, or when the scales are known."""
    dut, width = RowQuantiser(config_of(1)), 32
    row = Row.random(np.random.default_rng(6), 1, width, normed=normed)
    elements, gain = row.elements, row.gains[0] if normed else 0

    async def tell(ctx):
        await put_all(ctx, dut.i_command, [row.command] * 3)

    async def feed(ctx):
        ctx.set(dut.i_gain.valid, 1)
        ctx.set(dut.i_gain.payload, gain)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.o_scales.ready, 1)
        ctx.set(dut.i.valid, 1)
        starts, taken = [], 0
        for cycle in range(400):
            ctx.set(dut.i.payload, elements[taken % width])
            if ctx.get(dut.i.ready):
                starts += [] if taken % width else [cycle]
                taken += 1
            await ctx.tick()
        return starts

    period = width + max(width + dut.gap - 14, dut.scales_latency(normed=normed))
    starts = run(dut, tell, feed, max_cycles=500)[1]
    assert np.diff(starts).tolist() == [period] * 2


def test_it_becomes_rtl():
    assert "module \\top" in rtlil.convert(RowQuantiser(config_of()))
