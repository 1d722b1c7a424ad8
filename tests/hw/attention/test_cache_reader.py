import pytest

from tercel.program import Slices
from tercel_hw.attention import CacheReader
from tercel_hw.attention.cache_reader import RUNS
from tercel_sim.testbench import get_all, put_all, run

COMMAND = {
    "sweeps": 2,
    "sweeps_per_kv_head": 1,
    "nodes": 2,
    "base": 17,
    "cache": 1000,
    "slice_words": 70,
    "row_words": 500,
    "head_stride": 1200,
}


def sliced(config, size, **fields):
    """A command for heads of a size."""
    slices = Slices(word_bytes=config.word_bytes, elements=size)
    command = COMMAND | fields
    half_at = slices.full * command["slice_words"]
    return command | {"full": slices.full, "half": slices.half, "half_at": half_at}


def expected_runs(command, config):
    """(address, words, whether scales) of every run."""
    positions, width = command["base"] + command["nodes"], config.word_bytes
    full, half = command["full"], command["half"]
    sweeps = range(command["sweeps"])

    def block(sweep):
        return command["cache"] + sweep // command["sweeps_per_kv_head"] * command["head_stride"]

    def keys(sweep):
        for start in range(0, positions, config.tile):
            count = min(config.tile, positions - start)
            scales = block(sweep) + 2 * command["row_words"] + start * 4 // width
            yield scales, -(-count * 4 // width), True
            if half:
                yield block(sweep) + command["half_at"] + start // 2, -(-count // 2), False
            for index in range(full):
                yield block(sweep) + index * command["slice_words"] + start, count, False

    def values(sweep):
        first = block(sweep) + command["row_words"]
        for index in range(full):
            yield first + index * command["slice_words"], positions, False
        if half:
            yield first + command["half_at"], -(-positions // 2), False

    runs = list(keys(0))
    for sweep in sweeps:
        runs += [*keys(sweep + 1)] if sweep + 1 in sweeps else []
        runs += values(sweep)
    return runs


def play(config, commands, idle, back_pressure):
    dut = CacheReader(config)
    expected = [run_ for command in commands for run_ in expected_runs(command, config)]

    async def source(ctx):
        await put_all(ctx, dut.i_command, commands, idle)

    async def written(ctx):
        await put_all(ctx, dut.i_written, [0] * len(commands), idle)

    async def runs(ctx):
        taken = await get_all(ctx, dut.o_run, len(expected), back_pressure)
        return [(payload.address, payload.words) for payload in taken]

    async def kinds(ctx):
        taken = await get_all(ctx, dut.o_kind, len(expected), back_pressure)
        return [(payload.words, bool(payload.scales)) for payload in taken]

    *_, runs_, kinds_ = run(dut, source, written, runs, kinds, max_cycles=3000)
    assert runs_ == [(address, words) for address, words, _ in expected]
    assert kinds_ == [(words, scales) for _, words, scales in expected]


def test_runs_of_all_sweeps(idle, back_pressure, unit_shape_of):
    config = unit_shape_of(macs=32)
    commands = [
        sliced(config, 48),
        sliced(config, 16, sweeps=1, base=0, nodes=1),
        sliced(config, 64, base=14, sweeps=3),
        sliced(config, 32, sweeps=6, sweeps_per_kv_head=3, base=30, cache=1 << 31),
        sliced(config, 80, sweeps=4, sweeps_per_kv_head=2, base=62),
    ]
    play(config, commands, idle, back_pressure)


@pytest.mark.parametrize(("macs", "tile"), [(16, 16), (32, 16), (64, 32)])
@pytest.mark.parametrize("size", [16, 48, 96])
def test_other_words(macs, tile, size, unit_shape_of, idle):
    config = unit_shape_of(macs=macs, tile=tile)
    play(config, [sliced(config, size)], idle, idle)


def test_nothing_is_asked_for_before_it_is_written(unit_shape_of):
    config = unit_shape_of(macs=32)
    dut = CacheReader(config)

    async def bench(ctx):
        ctx.set(dut.o_run.ready, 1)
        ctx.set(dut.o_kind.ready, 1)
        ctx.set(dut.i_command.payload, sliced(config, 48))
        ctx.set(dut.i_command.valid, 1)
        for _ in range(20):
            assert not ctx.get(dut.o_run.valid)
            await ctx.tick()
        ctx.set(dut.i_command.valid, 0)
        await put_all(ctx, dut.i_written, [0])
        await ctx.tick()
        assert not ctx.get(dut.o_run.valid)
        await ctx.tick()
        # Two tiles of three runs for the keys, two runs for the values; two cycles between.
        keys, values, pause = [True] * 6, [True] * 2, [False] * 2
        order = [*keys, *pause, *keys, *pause[1:], *values, *pause[1:], *values]
        for now in [*order, *[False] * 20]:
            assert ctx.get(dut.o_run.valid) == now
            await ctx.tick()

    run(dut, bench, max_cycles=200)


def test_latency(unit_shape_of):
    config = unit_shape_of()
    dut = CacheReader(config)

    async def bench(ctx):
        ctx.set(dut.i_written.valid, 1)
        await put_all(ctx, dut.i_command, [sliced(config, 16)])
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o_run.valid)
            await ctx.tick()
        assert ctx.get(dut.o_run.valid)

    run(dut, bench, max_cycles=50)


def test_runs_wait_for_their_words(unit_shape_of):
    config = unit_shape_of()
    dut = CacheReader(config)

    async def bench(ctx):
        ctx.set(dut.i_written.valid, 1)
        await put_all(ctx, dut.i_command, [sliced(config, 16, sweeps=2 * RUNS)])
        ctx.set(dut.o_run.ready, 1)
        await ctx.tick().repeat(2 * RUNS)
        assert len(runs) == RUNS
        await get_all(ctx, dut.o_kind, 3)
        await ctx.tick().repeat(20)
        assert len(runs) == RUNS + 3

    async def watch(ctx):
        for _ in range(3 * RUNS):
            *_, valid, ready = await ctx.tick().sample(dut.o_run.valid, dut.o_run.ready)
            if valid and ready:
                runs.append(None)

    runs = []
    run(dut, bench, watch, max_cycles=4 * RUNS)
