from itertools import chain, product, repeat

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from tercel.numerics import integer_linear
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_hw.emission import emit_rtlil
from tercel_hw.target import Target
from tercel_sim.testbench import get_all, put_all, run

SMALL = DenseConfig(nodes=2, macs=16, chain=4, slices=6, tile=8, totals=3)
OTHERS = [
    DenseConfig(nodes=1, macs=16, chain=8, slices=4, tile=8, totals=1),
    DenseConfig(nodes=3, macs=32, chain=4, slices=5, tile=4, totals=2),
    DenseConfig(nodes=1, macs=64, chain=16, slices=3, tile=16, totals=2),
]


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def weights17(rng, *shape):
    return rng.integers(0, 1 << 17, shape)


def some_sweeps(rng, config, sweep_of):
    """Dots and axpys of one full slice, a half slice, and both, of odd and even rows."""
    macs, nodes, tile = config.macs, config.nodes, config.tile
    widest = config.totals * macs
    sweeps = []
    for rows in 1, tile + 3, 2 * tile + 2:
        for elements in (macs, macs // 2, macs + 8, 2 * macs + 4, 3 * macs - 1):
            if elements <= config.slices * macs:
                vectors = int8(rng, nodes, elements)
                sweeps.append(sweep_of(rows=int8(rng, rows, elements), vectors=vectors, tile=tile))
            if elements <= widest:
                weights = weights17(rng, rows, nodes)
                sweeps.append(sweep_of(rows=int8(rng, rows, elements), weights=weights))
    return sweeps


def check(config, sweeps, play, **patterns):
    sums, totals = play(config, sweeps, **patterns)
    dots = [sweep for sweep in sweeps if not sweep.axpy]
    assert sums == list(chain.from_iterable(sweep.sums() for sweep in dots))
    for sweep in dots:
        assert sweep.sums() == integer_linear(sweep.rows, sweep.vectors).T.tolist()
    axpys = [sweep for sweep in sweeps if sweep.axpy]
    assert totals == list(chain.from_iterable(sweep.totals() for sweep in axpys))


def test_sweeps_equal_the_golden_model(idle, back_pressure, play, sweep_of):
    sweeps = some_sweeps(np.random.default_rng(5), SMALL, sweep_of)
    check(SMALL, sweeps, play, idle=idle, back_pressure=back_pressure)


@pytest.mark.parametrize("missing", [0, 8], ids=["full slices", "and a half slice"])
def test_a_late_row_does_not_lose_a_slice(missing, play, sweep_of):
    """One beat comes late, so that the next slice may begin right after it."""
    rng = np.random.default_rng(9)
    sweeps, offers = [], []
    for rows, slices in (1, 3), (2, 3), (3, 2), (4, 2):
        shape = rows, slices * SMALL.macs - missing
        count = len(sweep_of(rows=int8(rng, *shape), vectors=int8(rng, 2, shape[1])).beats(SMALL))
        for late, gap in product(range(count), range(1, SMALL.chain + 3)):
            sweeps.append(sweep_of(rows=int8(rng, *shape), vectors=int8(rng, 2, shape[1])))
            for beat in range(count):
                offers += [False] * (gap if beat == late else 0) + [True]
    pattern = chain(offers, repeat(True))
    check(SMALL, sweeps, play, idle=lambda: next(pattern))


@pytest.mark.parametrize("config", OTHERS, ids=["one lane", "three lanes", "words of 64"])
def test_other_shapes(config, play, sweep_of):
    check(config, some_sweeps(np.random.default_rng(6), config, sweep_of), play)


def test_extremes_keep_their_signs(play, sweep_of):
    """All products of a chain, of a beat and of a tile are as large as they can be."""
    rows = np.repeat(np.array([[127], [-127]], np.int8), 5 * 16 + 8, axis=1)
    dot = sweep_of(rows=rows, vectors=np.vstack([rows[:1], rows[1:]]))
    largest = np.full((4, 2), (1 << 17) - 1)
    axpys = [
        sweep_of(rows=np.full((4, 24), value, np.int8), weights=largest) for value in (127, -127)
    ]
    check(SMALL, [dot, *axpys], play)


async def stream_beats(ctx, engine, beats, cycles, *events):
    """Offer beats in every cycle; when they were taken, and when each event was high."""
    taken, found = [], [[] for _ in events]
    ctx.set(engine.i_row.valid, 1)
    for cycle in range(cycles):
        ctx.set(engine.i_row.payload, beats[min(len(taken), len(beats) - 1)])
        if len(taken) == len(beats):
            ctx.set(engine.i_row.valid, 0)
        _, _, ready, *now = await ctx.tick().sample(engine.i_row.ready, *events)
        if ready and len(taken) < len(beats):
            taken.append(cycle)
        for at, high in zip(found, now, strict=True):
            at += [cycle] * bool(high)
    return taken, *found


@pytest.mark.parametrize(("elements", "rows"), [(16, 20), (24, 20), (40, 11), (8, 7), (48, 3)])
def test_cycles_of_a_dot(elements, rows, sweep_of, vectors_of):
    engine, rng = DenseEngine(SMALL), np.random.default_rng(1)
    sweep = sweep_of(rows=int8(rng, rows, elements), vectors=int8(rng, 2, elements))
    beats = sweep.beats(SMALL).tolist()

    async def bench(ctx):
        await put_all(ctx, engine.i_vector, vectors_of(SMALL, sweep.vectors))
        await put_all(ctx, engine.i_command, [sweep.command(SMALL)])
        ctx.set(engine.o_sum.ready, 1)
        cycles = 5 * len(beats) + engine.latency
        return await stream_beats(ctx, engine, beats, cycles, engine.o_sum.valid)

    ((taken, offered),) = run(engine, bench, max_cycles=1000)
    command = sweep.command(SMALL)
    full, half = command["full"], command["half"]
    cycle, expected, sums = 0, [], []
    for start in range(0, rows, SMALL.tile):
        count = min(SMALL.tile, rows - start)
        for words in [-(-count // 2)] * half + [count] * full:
            pace = 1 if full else 2
            expected += [cycle + pace * word for word in range(words)]
            # The next slice's vector is read while this slice is swept.
            cycle = max(expected[-1] + 1, cycle + SMALL.chain)
            if not full:
                cycle = max(cycle, expected[-1] + 1 + (count % 2 == 0))
        if full:
            sums += [at + engine.latency for at in expected[-count:]]
        else:
            last = expected[-words:]
            sums += [at + engine.latency + second for at in last for second in range(2)][:count]
    assert taken == expected
    assert offered == sums


@pytest.mark.parametrize(("elements", "rows"), [(16, 5), (24, 7), (48, 1), (8, 4)])
def test_cycles_of_an_axpy(elements, rows, sweep_of):
    engine, rng = DenseEngine(SMALL), np.random.default_rng(1)
    sweep = sweep_of(rows=int8(rng, rows, elements), weights=weights17(rng, rows, 2))
    beats = sweep.beats(SMALL).tolist()

    async def bench(ctx):
        await put_all(ctx, engine.i_command, [sweep.command(SMALL)])
        ctx.set(engine.o_total.ready, 1)
        ctx.set(engine.i_read.payload, sweep.read(SMALL))
        ctx.set(engine.i_read.valid, 1)
        ctx.set(engine.i_weight.valid, 1)
        cycles = 2 * len(beats) + 3 * (SMALL.chain + SMALL.macs) + engine.totals_latency
        return await stream_beats(ctx, engine, beats, cycles, engine.o_total.valid)

    ((taken, offered),) = run(engine, bench, max_cycles=1000)
    command = sweep.command(SMALL)
    cycle, expected, totals = 0, [], []
    for index, words in enumerate([rows] * command["full"] + [-(-rows // 2)] * command["half"]):
        expected += list(range(cycle, cycle + words))
        cycle = expected[-1] + SMALL.chain
        count = min(SMALL.macs, elements - index * SMALL.macs)
        first = max(expected[-1] + engine.totals_latency, totals[-1] + 1 if totals else 0)
        totals += list(range(first, first + count))
    assert taken == expected
    assert offered == totals


def test_rows_wait_while_nobody_takes_sums(sweep_of, vectors_of):
    engine, rng = DenseEngine(SMALL), np.random.default_rng(6)
    sweep = sweep_of(rows=int8(rng, 60, 16), vectors=int8(rng, 2, 16))

    async def control(ctx):
        await put_all(ctx, engine.i_vector, vectors_of(SMALL, sweep.vectors))
        await put_all(ctx, engine.i_command, [sweep.command(SMALL)])
        await ctx.tick().repeat(80)
        assert not ctx.get(engine.i_row.ready)
        return [list(sums) for sums in await get_all(ctx, engine.o_sum, 60)]

    async def rows(ctx):
        await put_all(ctx, engine.i_row, sweep.beats(SMALL).tolist())

    assert run(engine, control, rows, max_cycles=600)[0] == sweep.sums()


def test_values_wait_while_nobody_takes_totals(sweep_of):
    """But keys do not."""
    engine, rng = DenseEngine(SMALL), np.random.default_rng(2)
    axpys = [sweep_of(rows=int8(rng, 3, 32), weights=weights17(rng, 3, 2)) for _ in range(2)]
    dot = sweep_of(rows=int8(rng, 6, 16), vectors=int8(rng, 2, 16))
    sweeps = [axpys[0], dot, axpys[1]]

    async def control(ctx):
        await put_all(ctx, engine.i_command, [sweep.command(SMALL) for sweep in sweeps])
        await get_all(ctx, engine.o_sum, 6)
        await ctx.tick().repeat(60)
        # Two slices of the first are kept, and one of the last.
        assert ctx.get(engine.i_row.valid)
        assert not ctx.get(engine.i_row.ready)
        await put_all(ctx, engine.i_read, [sweep.read(SMALL) for sweep in axpys])

    async def totals(ctx):
        return [list(total.sums) for total in await get_all(ctx, engine.o_total, 64)]

    async def rows(ctx):
        for sweep in sweeps:
            await put_all(ctx, engine.i_row, sweep.beats(SMALL).tolist())

    async def weights(ctx):
        for sweep in axpys:
            await put_all(ctx, engine.i_weight, sweep.beat_weights(SMALL).tolist())

    found = run(engine, control, totals, rows, weights, max_cycles=900)[1]
    assert found == [t for sweep in axpys for t, _, _ in sweep.totals()]


@pytest.mark.parametrize("head_slots", [1, 2])
def test_totals_are_read_turn_by_turn(head_slots, play, sweep_of):
    rng = np.random.default_rng(3)
    sweeps = [
        sweep_of(rows=int8(rng, 5, 40), weights=weights17(rng, 5, 2), head_slots=head_slots)
        for _ in range(3)
    ]
    check(SMALL, sweeps, play)


def test_reset_forgets_a_sweep(sweep_of):
    engine, rng = DenseEngine(SMALL), np.random.default_rng(7)
    sweep = sweep_of(rows=int8(rng, 3, 32), weights=weights17(rng, 3, 2))
    reset = ResetInserter(reset_line := Signal())(engine)
    beats, weights = sweep.beats(SMALL).tolist(), sweep.beat_weights(SMALL).tolist()

    async def bench(ctx):
        for count in 4, len(beats):
            await put_all(ctx, engine.i_command, [sweep.command(SMALL)])
            ctx.set(engine.i_weight.valid, 1)
            for beat, weight in zip(beats[:count], weights, strict=False):
                ctx.set(engine.i_weight.payload, weight)
                await put_all(ctx, engine.i_row, [beat])
            ctx.set(engine.i_weight.valid, 0)
            if count == 4:
                ctx.set(reset_line, 1)
                await ctx.tick()
                ctx.set(reset_line, 0)
        ctx.set(engine.i_read.payload, sweep.read(SMALL))
        ctx.set(engine.i_read.valid, 1)
        return [list(total.sums) for total in await get_all(ctx, engine.o_total, 32)]

    assert run(reset, bench, max_cycles=300)[0] == [sums for sums, _, _ in sweep.totals()]


def test_it_converts():
    for target in Target:
        assert "module" in emit_rtlil(DenseEngine(SMALL), "top", target=target)
