from itertools import chain

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import ResetInserter, Signal

from tercel.numerics import integer_linear
from tercel_hw.dense import DenseConfig, DenseEngine
from tercel_sim.testbench import get_all, put_all, run

PLAIN = DenseConfig(nodes=2, macs=8, turns=2, vector_beats=6, total_words=8)
PACKED = DenseConfig(nodes=2, macs=8, turns=2, vector_beats=6, total_words=8, packed=True)
SHAPES = [PLAIN, PACKED]
by_name = pytest.mark.parametrize("config", SHAPES, ids=["plain", "packed"])


def int8(rng, *shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def weights17(rng, *shape):
    return rng.integers(0, 1 << 17, shape)


@by_name
def test_walks_equal_the_golden_model(config, idle, back_pressure, play, walk_of):
    rng = np.random.default_rng(5)
    walks = [
        walk_of(rows=int8(rng, 13, 24), vectors=int8(rng, 1, 2, 24)),
        walk_of(rows=int8(rng, 9, 16), weights=weights17(rng, 9, 1, 2)),
        walk_of(rows=int8(rng, 9, 20), vectors=int8(rng, 2, 2, 20)),
        walk_of(rows=int8(rng, 7, 8), weights=weights17(rng, 7, 1, 2)),
        walk_of(rows=int8(rng, 1, 20), weights=weights17(rng, 1, 1, 2)),
        walk_of(rows=int8(rng, 6, 16), weights=weights17(rng, 6, 2, 2)),
        walk_of(rows=int8(rng, 5, 48), vectors=int8(rng, 1, 2, 48)),
        walk_of(rows=int8(rng, 4, 8), vectors=int8(rng, 2, 2, 8)),
    ]
    sums, totals = play(config, walks, idle=idle, back_pressure=back_pressure)
    dots = [walk for walk in walks if not walk.axpy]
    assert sums == list(chain.from_iterable(walk.sums() for walk in dots))
    for walk in dots:
        golden = integer_linear(walk.rows, walk.vectors.reshape(-1, walk.rows.shape[1]))
        assert walk.sums() == golden.T.reshape(-1, 2).tolist()
    axpys = [walk for walk in walks if walk.axpy]
    assert totals == list(chain.from_iterable(walk.totals(config) for walk in axpys))


def test_the_smallest_engine(play, walk_of):
    config = DenseConfig(nodes=1, macs=8, turns=1, vector_beats=2, total_words=2, rows=4)
    rng = np.random.default_rng(8)
    dot = walk_of(rows=int8(rng, 4, 16), vectors=int8(rng, 1, 1, 16))
    axpy = walk_of(rows=int8(rng, 4, 16), weights=weights17(rng, 4, 1, 1))
    sums, totals = play(config, [dot, axpy])
    assert sums == dot.sums()
    assert totals == axpy.totals(config)


@by_name
def test_extremes_keep_their_signs(config, play, walk_of):
    rows = np.repeat(np.array([[127], [-127]], np.int8), 24, axis=1)
    vectors = np.stack([rows, rows[::-1]])
    dot = walk_of(rows=rows, vectors=vectors)
    largest = np.full((2, 1, 2), (1 << 17) - 1)
    axpy = walk_of(rows=np.array([[127] * 16, [127] * 16], np.int8), weights=largest)
    sums, totals = play(config, [dot, axpy])
    assert sums == dot.sums()
    assert totals == axpy.totals(config)


@by_name
@pytest.mark.parametrize(("elements", "turns"), [(8, 1), (16, 2)])
def test_dot_takes_a_beat_in_turns_cycles(config, elements, turns, walk_of, vectors_of):
    engine, rng = DenseEngine(config), np.random.default_rng(1)
    walk = walk_of(rows=int8(rng, 24, elements), vectors=int8(rng, turns, 2, elements))
    beats = walk.rows.reshape(-1, config.macs).tolist()

    async def source(ctx):
        await put_all(ctx, engine.i_vector, vectors_of(config, walk.vectors))
        await put_all(ctx, engine.i_command, [walk.command])
        ctx.set(engine.o_sum.ready, 1)
        ctx.set(engine.i_row.valid, 1)
        taken, offered = [], []
        for cycle in range(len(beats) * turns + engine.latency):
            ctx.set(engine.i_row.payload, beats[min(len(taken), len(beats) - 1)])
            if len(taken) == len(beats):
                ctx.set(engine.i_row.valid, 0)
            _, _, valid, ready, out = await ctx.tick().sample(
                engine.i_row.valid, engine.i_row.ready, engine.o_sum.valid
            )
            if valid and ready:
                taken.append(cycle)
            if out:
                offered.append(cycle)
        return taken, offered

    (taken, offered) = run(engine, source, max_cycles=600)[0]
    assert taken == [turns * (beat + 1) - 1 for beat in range(len(beats))]
    last_beats = taken[elements // config.macs - 1 :: elements // config.macs]
    expected = [
        cycle + engine.latency - turns + 1 + turn for cycle in last_beats for turn in range(turns)
    ]
    assert offered == expected


@by_name
def test_axpy_takes_a_beat_in_turns_times_halves_cycles(config, walk_of):
    engine, rng = DenseEngine(config), np.random.default_rng(1)
    walk = walk_of(rows=int8(rng, 9, 16), weights=weights17(rng, 9, 2, 2))

    async def rows(ctx):
        await put_all(ctx, engine.i_command, [walk.command])
        ctx.set(engine.o_total.ready, 1)
        beats = walk.rows.reshape(-1, config.macs).tolist()
        ctx.set(engine.i_row.valid, 1)
        for beat in beats:
            ctx.set(engine.i_row.payload, beat)
            for cycle in range(2 * config.halves):
                ready = ctx.get(engine.i_row.ready)
                assert ready == (cycle == 2 * config.halves - 1)
                await ctx.tick()
        ctx.set(engine.i_row.valid, 0)
        for _ in range(engine.TOTALS_LATENCY - 1):
            assert not ctx.get(engine.o_total.valid)
            await ctx.tick()
        for total in walk.totals(config):
            assert ctx.get(engine.o_total.valid)
            assert list(ctx.get(engine.o_total.payload).sums) == total[0]
            await ctx.tick()
        assert not ctx.get(engine.o_total.valid)

    async def weights(ctx):
        await put_all(ctx, engine.i_weight, walk.weights.reshape(-1, 2).tolist())

    run(engine, rows, weights, max_cycles=400)


def test_rows_wait_while_nobody_takes_sums(walk_of, vectors_of):
    engine, rng = DenseEngine(PLAIN), np.random.default_rng(6)
    walk = walk_of(rows=int8(rng, 40, 8), vectors=int8(rng, 1, 2, 8))

    async def control(ctx):
        await put_all(ctx, engine.i_vector, vectors_of(PLAIN, walk.vectors))
        await put_all(ctx, engine.i_command, [walk.command])
        await ctx.tick().repeat(60)
        assert not ctx.get(engine.i_row.ready)
        return [list(sums) for sums in await get_all(ctx, engine.o_sum, 40)]

    async def rows(ctx):
        await put_all(ctx, engine.i_row, walk.rows.tolist())

    assert run(engine, control, rows, max_cycles=400)[0] == walk.sums()


def test_one_word_takes_two_cycles_a_row(walk_of):
    engine, rng = DenseEngine(PLAIN), np.random.default_rng(3)
    walk = walk_of(rows=int8(rng, 9, 8), weights=weights17(rng, 9, 1, 2))

    async def rows(ctx):
        await put_all(ctx, engine.i_command, [walk.command])
        ctx.set(engine.i_row.valid, 1)
        ctx.set(engine.i_weight.valid, 1)
        for row, weights in zip(walk.rows.tolist(), walk.weights[:, 0].tolist(), strict=True):
            ctx.set(engine.i_row.payload, row)
            ctx.set(engine.i_weight.payload, weights)
            assert ctx.get(engine.i_row.ready)
            await ctx.tick()
            assert not ctx.get(engine.i_row.ready)
            await ctx.tick()
        return [list(total.sums) for total in await get_all(ctx, engine.o_total, 8)]

    assert run(engine, rows, max_cycles=200)[0] == [sums for sums, _, _ in walk.totals(PLAIN)]


def test_reset_forgets_a_walk(walk_of):
    engine, rng = DenseEngine(PLAIN), np.random.default_rng(7)
    walk = walk_of(rows=int8(rng, 3, 32), weights=weights17(rng, 3, 1, 2))
    reset = ResetInserter(reset_line := Signal())(engine)

    async def bench(ctx):
        for rows in 2, 3:
            await put_all(ctx, engine.i_command, [walk.command])
            ctx.set(engine.i_weight.valid, 1)
            for row, weights in zip(walk.rows[:rows], walk.weights[:rows, 0], strict=True):
                ctx.set(engine.i_weight.payload, weights.tolist())
                await put_all(ctx, engine.i_row, row.reshape(-1, 8).tolist())
            ctx.set(engine.i_weight.valid, 0)
            if rows == 2:
                ctx.set(reset_line, 1)
                await ctx.tick()
                ctx.set(reset_line, 0)
        return [list(total.sums) for total in await get_all(ctx, engine.o_total, 32)]

    assert run(reset, bench, max_cycles=300)[0] == [sums for sums, _, _ in walk.totals(PLAIN)]


def test_dot_runs_while_totals_wait(walk_of, vectors_of):
    engine, rng = DenseEngine(PLAIN), np.random.default_rng(2)
    axpy = walk_of(rows=int8(rng, 2, 32), weights=weights17(rng, 2, 1, 2))
    dot = walk_of(rows=int8(rng, 6, 16), vectors=int8(rng, 1, 2, 16))
    later = walk_of(rows=int8(rng, 2, 16), weights=weights17(rng, 2, 1, 2))

    async def control(ctx):
        await put_all(ctx, engine.i_vector, vectors_of(PLAIN, dot.vectors))
        await put_all(ctx, engine.i_command, [axpy.command, dot.command])
        ctx.set(engine.i_command.payload, later.command)
        ctx.set(engine.i_command.valid, 1)
        sums = await get_all(ctx, engine.o_sum, 6)
        await ctx.tick().repeat(5)
        assert not ctx.get(engine.i_command.ready), "the totals wait"
        totals = await get_all(ctx, engine.o_total, 31)
        await ctx.tick().until(engine.i_command.ready)
        ctx.set(engine.i_command.valid, 0)
        totals += await get_all(ctx, engine.o_total, 17)
        return [list(s) for s in sums], [list(t.sums) for t in totals]

    async def rows(ctx):
        for walk in axpy, dot, later:
            await put_all(ctx, engine.i_row, walk.rows.reshape(-1, 8).tolist())

    async def weights(ctx):
        for walk in axpy, later:
            await put_all(ctx, engine.i_weight, walk.weights.reshape(-1, 2).tolist())

    sums, totals = run(engine, control, rows, weights, max_cycles=600)[0]
    assert sums == dot.sums()
    assert totals == [t for t, _, _ in axpy.totals(PLAIN) + later.totals(PLAIN)]


@pytest.mark.parametrize("config", SHAPES, ids=["plain", "packed"])
def test_small_engines_convert(config):
    assert "module" in rtlil.convert(DenseEngine(config))


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_kv260_engines_convert(packed):
    assert "module" in rtlil.convert(DenseEngine(DenseConfig(packed=packed)))
