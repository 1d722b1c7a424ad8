import pytest

from tercel_hw.attention import CacheReader
from tercel_sim.testbench import get_all, put_all, run

COMMAND = {
    "kv_heads": 2,
    "turns": 1,
    "head_size": 48,
    "nodes": 2,
    "past": 17,
    "factor": 0,
    "cache": 1000,
    "row_words": 60,
    "head_stride": 130,
    "ancestors": 0,
}


def expected_runs(command, config):
    """(address, words, whether scales) of every run."""
    positions, width = command["past"] + command["nodes"], config.word_bytes
    runs = []
    for head in range(command["kv_heads"]):
        block = command["cache"] + head * command["head_stride"]
        for start in range(0, positions, config.tile):
            count = min(config.tile, positions - start)
            for index, row_bytes in (2, 4), (0, command["head_size"]):
                address = block + index * command["row_words"] + start * row_bytes // width
                runs.append((address, -(-count * row_bytes // width), index == 2))
        words = -(-positions * command["head_size"] // width)
        runs.append((block + command["row_words"], words, False))
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

    *_, runs_, kinds_ = run(dut, source, written, runs, kinds, max_cycles=2000)
    assert runs_ == [(address, words) for address, words, _ in expected]
    assert kinds_ == [(words, scales) for _, words, scales in expected]


def test_runs_of_all_heads(idle, back_pressure, unit_shape_of):
    changes = [
        {},
        {"kv_heads": 1, "past": 0, "nodes": 1, "head_size": 16},
        {"past": 14, "head_size": 32},
        {"kv_heads": 3, "past": 6, "head_size": 16, "cache": 1 << 31},
    ]
    play(unit_shape_of(), [COMMAND | change for change in changes], idle, back_pressure)


@pytest.mark.parametrize(("macs", "tile"), [(8, 2), (32, 16), (64, 64)])
def test_other_words(macs, tile, unit_shape_of, idle):
    config = unit_shape_of(macs=macs, tile=tile)
    play(config, [COMMAND | {"row_words": 200, "head_stride": 450}], idle, idle)


def test_nothing_is_asked_for_before_it_is_written(unit_shape_of):
    dut = CacheReader(unit_shape_of())

    async def bench(ctx):
        ctx.set(dut.o_run.ready, 1)
        ctx.set(dut.o_kind.ready, 1)
        ctx.set(dut.i_command.payload, COMMAND)
        ctx.set(dut.i_command.valid, 1)
        for _ in range(20):
            assert not ctx.get(dut.o_run.valid)
            await ctx.tick()
        await put_all(ctx, dut.i_written, [0])
        await ctx.tick()
        assert not ctx.get(dut.o_run.valid)
        await ctx.tick()
        # A run a cycle and two between heads.
        for now in [True] * 7 + [False] + [True] * 7 + [False] * 20:
            assert ctx.get(dut.o_run.valid) == now
            await ctx.tick()

    run(dut, bench, max_cycles=200)


def test_latency(unit_shape_of):
    dut = CacheReader(unit_shape_of())

    async def bench(ctx):
        ctx.set(dut.i_written.valid, 1)
        await put_all(ctx, dut.i_command, [COMMAND])
        for _ in range(dut.LATENCY - 1):
            assert not ctx.get(dut.o_run.valid)
            await ctx.tick()
        assert ctx.get(dut.o_run.valid)

    run(dut, bench, max_cycles=50)


def test_runs_wait_for_their_words(unit_shape_of):
    dut = CacheReader(unit_shape_of(tile=4))

    async def bench(ctx):
        ctx.set(dut.i_written.valid, 1)
        await put_all(ctx, dut.i_command, [COMMAND])
        ctx.set(dut.o_run.ready, 1)
        count = 0
        for _ in range(60):
            _, _, valid = await ctx.tick().sample(dut.o_run.valid)
            count += valid
        return count

    assert run(dut, bench, max_cycles=200)[0] == 16
