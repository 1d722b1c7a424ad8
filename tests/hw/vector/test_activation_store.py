# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring

from tercel.image import Part, Segment
from tercel.image.matrix import place_matrix
from tercel.image.matrix_form import MatrixForm
from tercel.image.multiplier import multiplier_values
from tercel.numerics import BlockQuantised, block_quantise, grouped_linear, ternary_linear
from tercel_hw.tlmm import TlmmEngine
from tercel_hw.tlmm.config import TLMM, TlmmConfig
from tercel_hw.tlmm.layouts import group_layout
from tercel_hw.vector import ActivationStore, VectorConfig
from tercel_sim.testbench import every_cycle, get_all, put_all, run

TINY = TLMM["tiny"]
GROUPED = TlmmConfig(tables=26, groups=1, nodes=2, block_rows=5, generators=13, max_columns=512)


@pytest.fixture
def config():
    return VectorConfig(nodes=TINY.nodes, columns=64, hidden=64, group=TINY.weight_code.group)


def random_row(seed, columns, nodes=TINY.nodes):
    rng = np.random.default_rng(seed)
    return rng.integers(-127, 128, (nodes, columns)).astype(np.int8)


def columns_of(x):
    last = x.shape[1] - 1
    return [{"values": column.tolist(), "last": i == last} for i, column in enumerate(x.T)]


def command(groups, blocks):
    """The fields of the engine beside it are anything."""
    return {"groups": groups, "blocks": blocks, "rows": 77, "chunks": 3, "bytes": 255}


def groups_of(config, x, groups, blocks):
    padded = np.zeros((config.nodes, groups * config.group), np.int8)
    padded[:, : x.shape[1]] = x
    return padded.reshape(config.nodes, groups, config.group).transpose(1, 2, 0).tolist() * blocks


def play(config, rows, idle=every_cycle, back_pressure=every_cycle):
    """Rows ``(x, groups, blocks)``: every group that comes out is the expected one."""
    dut = ActivationStore(config)
    expected = [group for row in rows for group in groups_of(config, *row)]

    async def commands(ctx):
        await put_all(ctx, dut.i_command, [command(*row[1:]) for row in rows], idle)

    async def source(ctx):
        columns = [column for row in rows for column in columns_of(row[0])]
        await put_all(ctx, dut.i, columns, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        assert not ctx.get(dut.o.valid)
        return [[list(nodes) for nodes in group] for group in taken]

    assert run(dut, commands, source, sink, max_cycles=3000)[2] == expected


@pytest.mark.parametrize("group", [1, 3, 5])
def test_groups_are_replayed_and_padded_with_zeros(group, idle, back_pressure):
    config = VectorConfig(nodes=2, columns=33, hidden=16, group=group)
    full = -(-33 // group)
    rows = [
        (random_row(1, 33), full, 2),
        (random_row(2, 16), -(-16 // group) + 3, 3),
        (random_row(3, 1), 1, 1),
        (random_row(4, 1), 2, 2),
        (random_row(5, 32), full + 40, 1),
    ]
    play(config, rows, idle, back_pressure)


def test_latency_and_throughput(config):
    dut, size = ActivationStore(config), config.group
    x = random_row(6, 3 * size + 2)
    count, groups = x.shape[1], 5
    expected = groups_of(config, x, groups, 2)
    columns = columns_of(x)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [command(groups, 2)])
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        # Each group after its last column; then, as soon as the row is there, one a cycle.
        starts = [size * g + size - 1 + dut.LATENCY for g in range(3)]
        end = count - 1 + dut.LATENCY
        starts += list(range(end, end + 2 * groups - 3))
        # The last group leaves the memory two cycles before it is offered.
        finished = starts[-1] - dut.LATENCY + 2
        for cycle in range(starts[-1] + 3):
            ctx.set(dut.i.payload, columns[min(cycle, count - 1)])
            assert ctx.get(dut.i.ready) == (cycle < count)
            assert ctx.get(dut.i_command.ready) == (cycle >= finished)
            assert ctx.get(dut.o.valid) == (cycle in starts)
            if cycle in starts:
                group = ctx.get(dut.o.payload)
                assert [list(nodes) for nodes in group] == expected[starts.index(cycle)]
            await ctx.tick()

    run(dut, bench, max_cycles=200)


def test_columns_do_not_wait_for_the_taker(config):
    dut = ActivationStore(config)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [command(13, 2)])
        await put_all(ctx, dut.i, columns_of(random_row(7, 64)))
        assert not ctx.get(dut.i.ready)

    run(dut, bench, max_cycles=64 + 8)


def packed_rows(weights):
    """The row-chunks of a matrix in tape order, cut out of the bytes of an image."""
    (rows, columns), bits = weights.shape, TINY.weight_code.bits
    chunks = TINY.chunks(columns)
    content = np.zeros(rows * chunks.count * chunks.bytes, np.uint8)
    segment = Segment(
        name="matrix",
        kind="ternary",
        rows=rows,
        columns=columns,
        parts=(),
        first_word=0,
        words=TINY.layout.words(len(content)),
        played=True,
    )
    place_matrix(TINY.layout, segment, content, Part(name="matrix", start=0, rows=rows), weights)
    packed = [int.from_bytes(x.tobytes(), "little") for x in content.reshape(-1, chunks.bytes)]
    return [[x >> bits * i & (1 << bits) - 1 for i in range(TINY.tables)] for x in packed]


def test_the_engine_multiplies_what_it_stores(config, idle, back_pressure):
    rng = np.random.default_rng(8)
    store, engine = ActivationStore(config), TlmmEngine(config=TINY)
    dut = Module()
    dut.submodules.store, dut.submodules.engine = store, engine
    wiring.connect(dut, store.o, engine.i_groups)
    matrices, commands = [], []
    for rows, columns in (17, 41), (8, 64), (3, 23), (20, 5):
        weights = rng.integers(-1, 2, (rows, columns), np.int8)
        chunks = TINY.chunks(columns)
        matrices.append((weights, random_row(rows, columns)))
        commands.append(
            {
                "rows": rows,
                "chunks": chunks.count,
                "codes": chunks.codes,
                "groups": chunks.count * chunks.codes,
                "blocks": -(-rows // TINY.block_rows),
            }
        )

    async def order(ctx):
        await put_all(ctx, store.i_command, commands, idle)

    async def order_engine(ctx):
        names = "rows", "chunks", "codes"
        mine = [{name: values[name] for name in names} for values in commands]
        await put_all(ctx, engine.i_command, mine, idle)

    async def source(ctx):
        await put_all(ctx, store.i, [c for _, x in matrices for c in columns_of(x)], idle)

    async def tape(ctx):
        codes = [row for weights, _ in matrices for row in packed_rows(weights)]
        await put_all(ctx, engine.i_codes, codes, idle)

    async def sink(ctx):
        results = []
        for weights, _ in matrices:
            taken = await get_all(ctx, engine.o_sums, len(weights), back_pressure)
            results.append(np.array([list(payload.sums) for payload in taken]).T)
        assert not ctx.get(engine.error)
        return results

    results = run(dut, order, order_engine, source, tape, sink, max_cycles=3000)[-1]
    for (weights, x), sums in zip(matrices, results, strict=True):
        np.testing.assert_array_equal(sums, ternary_linear(weights, x))


def grouped_config(columns=320, nodes=GROUPED.nodes):
    return VectorConfig(
        nodes=nodes, columns=columns, hidden=16, grouped=True, sum_bits=GROUPED.sum_bits
    )


def quantised(seed, columns, nodes=GROUPED.nodes):
    """A row whose blocks have different shifts."""
    rng = np.random.default_rng(seed)
    blocks = -(-columns // 64)
    loud = np.repeat(2.0 ** rng.integers(-9, 1, (nodes, blocks)), 64, axis=1)[:, :columns]
    return block_quantise((rng.normal(0, 1, (nodes, columns)) * loud).astype(np.float32))


def shifted_columns(row):
    """A `BlockQuantised`, or int8 values, whose shifts must not matter."""
    values = getattr(row, "values", row)
    columns = columns_of(values)
    for index, column in enumerate(columns):
        blocks = row.shifts[:, index // 64] if isinstance(row, BlockQuantised) else [0, 7]
        column["shifts"] = np.asarray(blocks).tolist()
    return columns


def shifted_groups(config, row, groups, blocks):
    """Groups as (activations, shifts); no shifts where nothing is expected of them."""
    if not isinstance(row, BlockQuantised):
        return [(group, None) for group in groups_of(config, row, groups, blocks)]
    nodes, width = row.values.shape
    count = row.shifts.shape[1]
    padded = np.zeros((nodes, groups // 13, 65), np.int8)
    padded[:, :count, :64] = np.pad(row.values, ((0, 0), (0, -width % 64))).reshape(nodes, -1, 64)
    values = padded.reshape(nodes, groups, 5).transpose(1, 2, 0).tolist()
    shifts = [row.shifts[:, g // 13].tolist() if g < 13 * count else None for g in range(groups)]
    return list(zip(values, shifts, strict=True)) * blocks


@pytest.mark.parametrize("columns", [192, 64])
def test_rows_with_shifts_and_plain_rows_alternate(columns, idle, back_pressure):
    config = grouped_config(columns)
    dut = ActivationStore(config)
    widths = [width for width in (64, 1, 37, 128, 70, 192, 130) if width <= columns]
    rows = [(quantised(width, width), -(-width // 128) * 26, 1 + width % 2) for width in widths]
    rows[1:1] = [(random_row(1, columns, nodes=2), -(-columns // 5) + 3, 2)]
    rows += [(random_row(2, 13, nodes=2), 5, 1), rows[0]]
    expected = [group for row in rows for group in shifted_groups(config, *row)]

    async def commands(ctx):
        offered = [
            {**command(*row[1:]), "grouped": isinstance(row[0], BlockQuantised)} for row in rows
        ]
        await put_all(ctx, dut.i_command, offered, idle)

    async def source(ctx):
        columns = [column for row in rows for column in shifted_columns(row[0])]
        await put_all(ctx, dut.i, columns, idle)

    async def sink(ctx):
        taken = await get_all(ctx, dut.o, len(expected), back_pressure)
        assert not ctx.get(dut.o.valid)
        return [([list(nodes) for nodes in group["values"]], list(group.shifts)) for group in taken]

    taken = run(dut, commands, source, sink, max_cycles=6000)[2]
    assert [values for values, _ in taken] == [values for values, _ in expected]
    pairs = zip(taken, expected, strict=True)
    assert all(given in (None, shifts) for (_, shifts), (_, given) in pairs)


def test_latency_of_a_block():
    config = grouped_config()
    dut, row = ActivationStore(config), quantised(3, 130)
    columns, expected = shifted_columns(row), shifted_groups(config, row, 52, 1)
    # Each group after its last column, which is the fourth of a block's last one.
    ends = [64 * block + min(5 * code + 4, 63) for block in (0, 1) for code in range(13)]
    starts = [end + dut.LATENCY for end in (*ends, 129)]
    starts += range(starts[-1] + 1, starts[-1] + 26)

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [{**command(52, 1), "grouped": 1}])
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(starts[-1] + 3):
            ctx.set(dut.i.payload, columns[min(cycle, 129)])
            assert ctx.get(dut.i.ready) == (cycle < 130)
            assert ctx.get(dut.o.valid) == (cycle in starts)
            if cycle in starts:
                values, _ = expected[starts.index(cycle)]
                assert [list(nodes) for nodes in ctx.get(dut.o.payload["values"])] == values
            await ctx.tick()

    run(dut, bench, max_cycles=300)


@pytest.mark.slow
def test_the_engine_multiplies_groups_that_it_stores():
    rng = np.random.default_rng(9)
    store, engine = ActivationStore(grouped_config()), TlmmEngine(config=GROUPED)
    dut = Module()
    dut.submodules.store, dut.submodules.engine = store, engine
    wiring.connect(dut, store.o, engine.i_groups)
    matrices, commands, codes = [], [], []
    for rows, columns in (6, 70), (1, 200):
        weights = rng.integers(-1, 2, (rows, columns), np.int8)
        multipliers = multiplier_values(rng.integers(0, 1024, (rows, -(-columns // 128))))
        matrices.append((weights, multipliers, quantised(rows, columns)))
        fields = GROUPED.command(rows, columns, grouped=True)
        blocks = -(-rows // GROUPED.block_rows)
        commands.append({**fields, "groups": 26 * multipliers.shape[1], "blocks": blocks})
        chunks = MatrixForm(layout=GROUPED.layout, granularity="group", columns=columns).row_chunks
        for start in range(0, rows, GROUPED.block_rows):
            block = slice(start, start + GROUPED.block_rows)
            for chunk in chunks.pack(weights[block], multipliers[block]):
                codes += np.pad(chunk, ((0, 0), (0, GROUPED.chunk_bytes - chunk.shape[1]))).tolist()

    async def order(ctx):
        await put_all(ctx, store.i_command, commands)

    async def order_engine(ctx):
        names = "rows", "chunks", "codes", "last_codes", "grouped"
        mine = [{name: values[name] for name in names} for values in commands]
        await put_all(ctx, engine.i_command, mine)

    async def source(ctx):
        await put_all(ctx, store.i, [c for *_, x in matrices for c in shifted_columns(x)])

    async def tape(ctx):
        await put_all(ctx, engine.i_codes, codes)

    async def sink(ctx):
        results = []
        for weights, *_ in matrices:
            taken = await get_all(ctx, engine.o_sums, len(weights))
            results.append(np.array([list(payload.sums) for payload in taken]).T)
        assert not ctx.get(engine.error)
        return results

    results = run(dut, order, order_engine, source, tape, sink, max_cycles=3000)[-1]
    for matrix, sums in zip(matrices, results, strict=True):
        np.testing.assert_array_equal(sums, grouped_linear(*matrix))


@pytest.mark.parametrize("name", TLMM)
def test_groups_are_those_of_the_engine(name):
    tlmm = TLMM[name]
    config = VectorConfig(nodes=tlmm.nodes, group=tlmm.weight_code.group)
    assert ActivationStore(config).o.payload.shape() == group_layout(tlmm)


def test_groups_with_shifts_are_those_of_the_engine():
    ours = ActivationStore(grouped_config()).o.payload.shape()
    theirs = group_layout(GROUPED)
    assert list(ours.members) == list(theirs.members)
    assert Shape.cast(ours) == Shape.cast(theirs)


def test_it_becomes_rtl(config):
    assert "module \\top" in rtlil.convert(ActivationStore(config))
