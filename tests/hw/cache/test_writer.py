import numpy as np
import pytest

from tercel_hw.cache import CacheWriter
from tercel_sim.testbench import every_cycle, get_all, put_all, run


def write(dut, commands, memory, *, idle=every_cycle, taking=every_cycle, max_cycles=6000):
    """Write all; the cycles in which the columns were taken."""
    entered, cycles = [], [0]

    async def tell(ctx):
        await put_all(ctx, dut.i_command, [heads.command for heads in commands], idle)

    async def columns(ctx):
        await put_all(ctx, dut.i, [each for heads in commands for each in heads.columns], idle)

    async def scales(ctx):
        await put_all(ctx, dut.i_scales, [row for heads in commands for row in heads.scale_rows])

    async def done(ctx):
        await get_all(ctx, dut.o_done, len(commands), taking)
        memory.running = False

    async def watch(ctx):
        while memory.running:
            *_, valid, ready = await ctx.tick().sample(dut.i.valid, dut.i.ready)
            if valid and ready:
                entered.append(cycles[0])
            cycles[0] += 1

    run(dut, tell, columns, scales, done, watch, memory.serve, max_cycles=max_cycles)
    return entered


def old(rng, commands):
    size = max(heads.memory_bytes() for heads in commands)
    return rng.integers(0, 256, size).astype(np.uint8)


@pytest.mark.parametrize(
    ("nodes", "ports", "port_bytes", "cases"),
    [
        (1, 1, 16, ((16, 0), (16, 2))),
        (2, 2, 8, ((32, 1), (48, 6))),
        (3, 4, 16, ((48, 2), (16, 3), (16, 0))),
        (4, 2, 16, ((80, 1),)),
    ],
)
def test_rows_and_scales_are_written(
    shape_of, random_heads, granule_memory, idle, back_pressure, nodes, ports, port_bytes, cases
):
    """And nothing else; head sizes and bases at every place of a granule of scales."""
    config = shape_of(nodes=nodes, ports=ports, port_bytes=port_bytes, head_size=80)
    rng = np.random.default_rng(nodes)
    commands = [
        random_heads(
            rng,
            config,
            size=size,
            kv_heads=2 - index % 2,
            nodes=max(1, nodes - index),
            base=base,
            cache=2,
        )
        for index, (size, base) in enumerate(cases)
    ]
    dut, memory = CacheWriter(config), old(rng, commands)
    wanted = memory.copy()
    for heads in commands:
        heads.write(wanted)
    served = granule_memory(dut, memory, take=back_pressure)
    write(dut, commands, served, idle=idle, taking=back_pressure)
    assert (memory == wanted).all()


def test_a_command_is_done_when_all_is_confirmed(shape_of, random_heads, granule_memory):
    config, rng = shape_of(), np.random.default_rng(1)
    heads = random_heads(rng, config, size=16)
    dut = CacheWriter(config)
    served = granule_memory(dut, old(rng, [heads]), latency=40)
    offered, cycles = [], [0]

    async def watch(ctx):
        while served.running:
            *_, valid = await ctx.tick().sample(dut.o_done.valid)
            if valid:
                offered.append(cycles[0])
            cycles[0] += 1

    async def bench(ctx):
        await put_all(ctx, dut.i_command, [heads.command])
        await put_all(ctx, dut.i, heads.columns)
        await ctx.tick().repeat(150)
        assert ctx.get(dut.o_done.valid)
        assert not ctx.get(dut.i_command.ready)
        await get_all(ctx, dut.o_done, 1)
        assert ctx.get(dut.i_command.ready)
        served.running = False

    async def scales(ctx):
        await put_all(ctx, dut.i_scales, heads.scale_rows)

    run(dut, bench, scales, watch, served.serve, max_cycles=600)
    # The memory says so ``latency`` cycles after the last granule; a cycle to see it.
    assert offered[0] == served.passed[-1] + served.latency + 2


def test_when_heads_leave(shape_of, random_heads, granule_memory):
    config, rng = shape_of(nodes=4, head_size=48, port_bytes=16), np.random.default_rng(2)
    heads = random_heads(rng, config, size=48, kv_heads=3, base=6)
    dut = CacheWriter(config)
    served = granule_memory(dut, old(rng, [heads]))
    entered = write(dut, [heads], served)
    # Columns never wait: 12 granules of rows and 2 of scales leave faster.
    assert entered[-1] - entered[0] == len(entered) - 1
    # A full slice of 2 granules, a half one, scales.
    assert [count for *_, count in served.runs] == 6 * [8, 4, 2]
    assert served.runs[0][0] == entered[47] + dut.LATENCY
    assert len(served.passed) == 6 * 14


def test_a_head_in_as_many_cycles_as_it_has_granules(shape_of, random_heads, granule_memory):
    """With more to write than comes in: 4 rows of 6 granules and 3 of scales for 48 columns."""
    config, rng = shape_of(nodes=12, head_size=48), np.random.default_rng(3)
    heads = random_heads(rng, config, size=48, kv_heads=5, base=1)
    dut = CacheWriter(config)
    served = granule_memory(dut, old(rng, [heads]))
    write(dut, [heads], served)
    firsts = [cycle for cycle, *_ in served.runs[:: 3 + 1]]
    steps = np.diff(firsts[1:5])
    assert (steps == 72 + 7 + 3 + dut.OVERHEAD).all()
